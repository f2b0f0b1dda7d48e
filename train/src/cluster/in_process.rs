//! Ranks as threads of one process: the oracle that tests compare engines and trainers with.
//!
//! Every operation is one exchange: each rank deposits what it sends, waits for the others, and reads all.
//! Sums are made in the order of ranks. A rank that is dropped while others wait is an error there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::collective::{Collective, Received, Sent, Summed};
use super::error::ClusterError;

/// One of several ranks in this process.
#[derive(Debug)]
pub struct InProcess {
    rank: usize,
    meeting: Arc<Meeting>,
}

#[derive(Debug)]
struct Meeting {
    table: Mutex<Table>,
    changed: Condvar,
}

/// What is on the table: deposits of a round, then the same to be read until all have read.
#[derive(Debug)]
struct Table {
    deposits: Vec<Option<Arc<Deposit>>>,
    read: usize,
    gone: Option<usize>,
    /// What was sent and not received yet, by sender and receiver.
    letters: BTreeMap<(usize, usize), VecDeque<Vec<u8>>>,
}

#[derive(Debug)]
enum Deposit {
    F32(Vec<f32>),
    F64(Vec<f64>),
    Bytes(Vec<u8>),
}

impl Deposit {
    fn of(sent: Sent<'_>) -> Self {
        match sent {
            Sent::F32(values) => Self::F32(values.to_vec()),
            Sent::F64(values) => Self::F64(values.to_vec()),
            Sent::Bytes(values) => Self::Bytes(values.to_vec()),
        }
    }
}

impl InProcess {
    /// `world` ranks, one for each thread.
    pub fn team(world: usize) -> Vec<Self> {
        let deposits = (0..world).map(|_| None).collect();
        let table = Table { deposits, read: 0, gone: None, letters: BTreeMap::new() };
        let meeting = Arc::new(Meeting { table: Mutex::new(table), changed: Condvar::new() });
        (0..world).map(|rank| Self { rank, meeting: Arc::clone(&meeting) }).collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.meeting.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What all ranks deposit in this round, in their order.
    fn exchange(&self, sent: Sent<'_>) -> Result<Vec<Arc<Deposit>>, ClusterError> {
        // The round before is over when all have read it.
        let mut table =
            self.wait(|table| table.deposits[self.rank].is_none() && table.read == 0)?;
        table.deposits[self.rank] = Some(Arc::new(Deposit::of(sent)));
        self.meeting.changed.notify_all();
        drop(table);
        let mut table = self.wait(|table| table.deposits.iter().all(Option::is_some))?;
        let all: Vec<_> = table.deposits.iter().flatten().cloned().collect();
        table.read += 1;
        if table.read == table.deposits.len() {
            table.read = 0;
            table.deposits.iter_mut().for_each(|deposit| *deposit = None);
        }
        self.meeting.changed.notify_all();
        Ok(all)
    }

    fn wait(&self, ready: impl Fn(&Table) -> bool) -> Result<MutexGuard<'_, Table>, ClusterError> {
        let table = self.table();
        let waiting = |table: &mut Table| table.gone.is_none() && !ready(table);
        let table =
            self.meeting.changed.wait_while(table, waiting).unwrap_or_else(PoisonError::into_inner);
        match table.gone {
            Some(rank) if !ready(&table) => Err(ClusterError::Gone { rank }),
            _ => Ok(table),
        }
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        let mut table = self.table();
        table.gone.get_or_insert(self.rank);
        drop(table);
        self.meeting.changed.notify_all();
    }
}

/// Adds the deposits up in order; `part` says which values of each.
fn sum(all: &[Arc<Deposit>], part: std::ops::Range<usize>, into: Summed<'_>) {
    match into {
        Summed::F32(into) => {
            into.fill(0.0);
            for deposit in all {
                let Deposit::F32(values) = &**deposit else { unreachable!("one type in a round") };
                into.iter_mut().zip(&values[part.clone()]).for_each(|(sum, value)| *sum += value);
            }
        }
        Summed::F64(into) => {
            into.fill(0.0);
            for deposit in all {
                let Deposit::F64(values) = &**deposit else { unreachable!("one type in a round") };
                into.iter_mut().zip(&values[part.clone()]).for_each(|(sum, value)| *sum += value);
            }
        }
    }
}

impl Collective for InProcess {
    fn rank(&self) -> usize {
        self.rank
    }

    fn world(&self) -> usize {
        self.table().deposits.len()
    }

    fn name(&self) -> String {
        "threads of one process".to_owned()
    }

    fn all_reduce(&self, values: Summed<'_>) -> Result<(), ClusterError> {
        let (all, length) = match &values {
            Summed::F32(values) => (self.exchange(Sent::F32(values))?, values.len()),
            Summed::F64(values) => (self.exchange(Sent::F64(values))?, values.len()),
        };
        sum(&all, 0..length, values);
        Ok(())
    }

    fn reduce_scatter(&self, values: Sent<'_>, mine: Summed<'_>) -> Result<(), ClusterError> {
        let all = self.exchange(values)?;
        let length = match &mine {
            Summed::F32(mine) => mine.len(),
            Summed::F64(mine) => mine.len(),
        };
        sum(&all, self.rank * length..(self.rank + 1) * length, mine);
        Ok(())
    }

    fn all_gather(&self, mine: Sent<'_>, all: Received<'_>) -> Result<(), ClusterError> {
        let deposits = self.exchange(mine)?;
        match all {
            Received::F32(all) => gather(&deposits, all, |it| match it {
                Deposit::F32(values) => Some(values),
                _ => None,
            }),
            Received::F64(all) => gather(&deposits, all, |it| match it {
                Deposit::F64(values) => Some(values),
                _ => None,
            }),
            Received::Bytes(all) => gather(&deposits, all, |it| match it {
                Deposit::Bytes(values) => Some(values),
                _ => None,
            }),
        }
        Ok(())
    }

    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<(), ClusterError> {
        let all = self.exchange(Sent::Bytes(bytes))?;
        let Deposit::Bytes(found) = &*all[root] else { unreachable!("one type in a round") };
        bytes.copy_from_slice(found);
        Ok(())
    }

    fn swaps(&self) -> bool {
        true
    }

    fn swap(&self, partner: usize, mine: &[u8], theirs: &mut [u8]) -> Result<(), ClusterError> {
        let (there, here) = ((self.rank, partner), (partner, self.rank));
        self.table().letters.entry(there).or_default().push_back(mine.to_vec());
        self.meeting.changed.notify_all();
        let has_come =
            |table: &Table| table.letters.get(&here).is_some_and(|letters| !letters.is_empty());
        let mut table = self.wait(has_come)?;
        let letter = table.letters.get_mut(&here).and_then(VecDeque::pop_front);
        theirs.copy_from_slice(&letter.expect("it has come"));
        Ok(())
    }

    fn barrier(&self) -> Result<(), ClusterError> {
        self.exchange(Sent::Bytes(&[])).map(|_| ())
    }

    fn leave(&self) {}

    fn abort(&self, _code: i32) {}
}

fn gather<E: Copy>(
    deposits: &[Arc<Deposit>],
    all: &mut [E],
    values: impl Fn(&Deposit) -> Option<&Vec<E>>,
) {
    let mut places = all.iter_mut();
    for deposit in deposits {
        let values = values(deposit).expect("one type in a round");
        places.by_ref().zip(values).for_each(|(place, value)| *place = *value);
    }
}
