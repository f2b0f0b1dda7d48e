//! A run on several ranks, which are threads of this process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use burn::tensor::Device;
use genesis_kernels::Cpu;
use genesis_train::cluster::{Cluster, Collective, InProcess, Phase};
use genesis_train::family::Family;
use genesis_train::report::{Observer, Silent, StepRecord};
use genesis_train::trainer::{Decided, Outcome, Plan, Resume, Session, Start, TrainError, prepare};

/// Stops its own rank alone after some steps.
struct StopsAfter(u64, Arc<AtomicBool>);

impl Observer for StopsAfter {
    fn step(&mut self, record: &StepRecord) {
        self.1.store(record.step >= self.0, Ordering::Relaxed);
    }
    fn evaluation(&mut self, _record: &genesis_train::report::EvaluationRecord) {}
    fn checkpoint(&mut self, _record: &genesis_train::report::CheckpointRecord) {}
    fn note(&mut self, _text: &str) {}
}

/// Trains on `world` ranks; `observer` hears what the first does. The last rank alone is asked to stop after
/// `stop_after` steps.
pub(crate) fn train_on<F: Family>(
    world: usize,
    of: (&F::Plan, &Arc<F::Dataset>),
    observer: &mut (dyn Observer + Send),
    stop_after: Option<u64>,
    resume: &Resume,
) -> Vec<Result<Outcome, TrainError>> {
    train_through::<F>(world, &|it| Arc::new(it), of, observer, stop_after, resume)
}

/// The same through engines that `made` makes.
pub(crate) fn train_through<F: Family>(
    world: usize,
    made: &(dyn Fn(InProcess) -> Arc<dyn Collective> + Sync),
    (plan, dataset): (&F::Plan, &Arc<F::Dataset>),
    observer: &mut (dyn Observer + Send),
    stop_after: Option<u64>,
    resume: &Resume,
) -> Vec<Result<Outcome, TrainError>> {
    let first = Mutex::new(Some(observer));
    let of_rank = |engine: InProcess| {
        let cluster = Cluster::of(made(engine), "here").unwrap();
        let start = start(plan, resume, &cluster)?;
        let stop = Arc::new(AtomicBool::new(false));
        let is_last = cluster.rank() + 1 == world;
        let mut stops = StopsAfter(stop_after.unwrap_or(u64::MAX), Arc::clone(&stop));
        let mut taken = if cluster.is_first() { first.lock().unwrap().take() } else { None };
        let mut silent = Silent;
        let mut both;
        let observer: &mut dyn Observer = match (&mut taken, is_last) {
            (Some(observer), true) => {
                both = (&mut **observer as &mut dyn Observer, &mut stops);
                &mut both
            }
            (Some(observer), false) => &mut **observer,
            (None, true) => &mut stops,
            (None, false) => &mut silent,
        };
        let session = Session { observer, stop: &stop, start, cluster: &cluster };
        F::train::<Cpu>(plan, dataset, &Device::<Cpu>::default(), session)
    };
    std::thread::scope(|scope| {
        let of_rank = &of_rank;
        let threads: Vec<_> =
            InProcess::team(world).into_iter().map(|it| scope.spawn(move || of_rank(it))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// The first rank decides where the run starts.
fn start(plan: &impl Plan, resume: &Resume, cluster: &Cluster) -> Result<Start, TrainError> {
    let start = cluster.is_first().then(|| prepare(plan, resume)).transpose();
    let start = cluster.agree(Phase::Start, "finding its start", start)?;
    let decided = serde_json::to_vec(&start.as_ref().map(Start::decided)).unwrap();
    let decided: Option<Decided> = serde_json::from_slice(&cluster.from_first(decided)?).unwrap();
    start.map_or_else(|| Start::as_decided(&decided.unwrap()), Ok)
}
