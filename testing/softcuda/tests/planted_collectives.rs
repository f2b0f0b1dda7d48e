//! Faults planted in calls of NCCL: each is found, and what is right gives what it should.
//!
//! Ranks are threads of one process, each with a device of its own; a thread never waits inside of the driver for
//! another, since both share its lock.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod support;

use std::ffi::c_int;
use std::ptr;

use softcuda::driver::{Handle, context, memory, stream};
use softcuda::nccl::*;
use softcuda::{Status, findings};
use support::{allocate, alone, assert_found, new_stream};

const FLOATS: c_int = 7;
const SUM: c_int = 0;

/// A rank: its communicator, a stream and 64 bytes of its device.
struct Rank {
    comm: Handle,
    stream: Handle,
    memory: u64,
}

fn enter(device: c_int) {
    assert_eq!(context::cuInit(0), Status::SUCCESS);
    let mut handle = ptr::null_mut();
    // SAFETY: the place is written.
    let retained = unsafe { context::cuDevicePrimaryCtxRetain(&raw mut handle, device) };
    assert_eq!(retained, Status::SUCCESS);
    assert_eq!(context::cuCtxSetCurrent(handle), Status::SUCCESS);
}

fn new_id() -> UniqueId {
    let mut id = UniqueId([0; 128]);
    // SAFETY: the place is written.
    assert_eq!(unsafe { ncclGetUniqueId(&raw mut id) }, SUCCESS);
    id
}

fn state(comm: Handle) -> c_int {
    let mut state = -1;
    // SAFETY: the place is written.
    let asked = unsafe { ncclCommGetAsyncError(comm, &raw mut state) };
    if asked == SUCCESS { state } else { asked }
}

/// How a call ends, and how often it was in progress.
fn settled(comm: Handle, status: c_int) -> (c_int, u32) {
    let (mut status, mut times) = (status, 0);
    while status == IN_PROGRESS {
        (status, times) = (state(comm), times + 1);
        std::thread::yield_now();
    }
    (status, times)
}

/// Begins to join `id` as `rank` of two, on `device`.
fn begin(id: UniqueId, rank: c_int, device: c_int) -> (Rank, c_int) {
    enter(device);
    let (mut comm, stream) = (ptr::null_mut(), new_stream());
    let memory = allocate(64, stream);
    let size = size_of::<Config>();
    let mut config = Config { size, magic: 0xcafe_beef, version: 21_400, blocking: 0 };
    // SAFETY: places are written, the configuration lives.
    let status = unsafe { ncclCommInitRankConfig(&raw mut comm, 2, id, rank, &raw mut config) };
    (Rank { comm, stream, memory }, status)
}

impl Rank {
    fn join(id: UniqueId, rank: c_int) -> Self {
        let (joined, status) = begin(id, rank, rank);
        let (status, times) = settled(joined.comm, status);
        assert!(status == SUCCESS && times > 1, "it is in progress first");
        joined
    }

    fn upload(&self, numbers: &[f32]) {
        assert_eq!(support::upload(self.memory, numbers, self.stream), Status::SUCCESS);
    }

    /// Numbers of its memory, once its stream is done.
    fn download(&self, count: usize) -> Vec<f32> {
        while stream::cuStreamQuery(self.stream) != Status::SUCCESS {
            std::thread::yield_now();
        }
        support::download(self.memory, count, self.stream).unwrap()
    }

    fn all_reduce(&self, count: usize) -> c_int {
        let at = self.memory;
        ncclAllReduce(at as *const _, at as *mut _, count, FLOATS, SUM, self.comm, self.stream)
    }

    fn sum(&self, numbers: &[f32]) -> Vec<f32> {
        self.upload(numbers);
        assert_eq!(settled(self.comm, self.all_reduce(numbers.len())).0, SUCCESS);
        self.download(numbers.len())
    }

    fn leave(&self) {
        assert_eq!(settled(self.comm, ncclCommFinalize(self.comm)).0, SUCCESS);
        assert_eq!(ncclCommDestroy(self.comm), SUCCESS);
    }
}

/// Both ranks at once, each on its thread.
fn both(work: impl Fn(c_int, UniqueId) + Sync) {
    let (id, work) = (new_id(), &work);
    std::thread::scope(|scope| {
        for rank in 0..2 {
            scope.spawn(move || work(rank, id));
        }
    });
}

#[test]
fn every_operation_gives_what_it_should_however_long_it_takes() {
    alone("every_operation_gives_what_it_should_however_long_it_takes", || {
        both(|rank, id| {
            let joined = Rank::join(id, rank);
            let mine = rank as f32;
            for _ in 0..4 {
                assert_eq!(joined.sum(&[mine, 1.0, 10.0 * mine]), [1.0, 2.0, 10.0]);
            }
            joined.upload(&[mine + 1.0; 4]);
            let (at, comm, on) = (joined.memory, joined.comm, joined.stream);
            let gathered = ncclAllGather(at as *const _, (at + 16) as *mut _, 4, FLOATS, comm, on);
            assert_eq!(settled(comm, gathered).0, SUCCESS);
            assert_eq!(joined.download(12)[4..], [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0]);
            joined.upload(&[mine, mine + 1.0, mine + 2.0, mine + 3.0]);
            let (from, to) = (at as *const _, (at + 16) as *mut _);
            let scattered = ncclReduceScatter(from, to, 2, FLOATS, SUM, comm, on);
            assert_eq!(settled(comm, scattered).0, SUCCESS);
            let want = if rank == 0 { [1.0, 3.0] } else { [5.0, 7.0] };
            assert_eq!(joined.download(6)[4..], want);
            joined.upload(&[mine; 2]);
            let sent = ncclBroadcast(at as *const _, at as *mut _, 2, FLOATS, 1, comm, on);
            assert_eq!(settled(comm, sent).0, SUCCESS);
            assert_eq!(joined.download(2), [1.0, 1.0]);
            assert_eq!((ncclGroupStart(), joined.all_reduce(2)), (SUCCESS, SUCCESS));
            assert_eq!(settled(comm, ncclGroupEnd()).0, SUCCESS);
            assert_eq!(joined.download(2), [2.0, 2.0]);
            joined.leave();
        });
        assert!(findings().is_empty());
    });
}

#[test]
fn an_operation_before_the_communicator_is_ready_is_found() {
    alone("an_operation_before_the_communicator_is_ready_is_found", || {
        let (joined, status) = begin(new_id(), 0, 0);
        assert_eq!((status, joined.all_reduce(4)), (IN_PROGRESS, INVALID_USAGE));
        assert_found(&["ncclAllReduce", "in progress"]);
    });
}

#[test]
fn work_of_a_stream_while_a_collective_is_in_progress_is_found() {
    alone("work_of_a_stream_while_a_collective_is_in_progress_is_found", || {
        both(|rank, id| {
            let joined = Rank::join(id, rank);
            joined.upload(&[1.0; 4]);
            let status = joined.all_reduce(4);
            assert_eq!(status, IN_PROGRESS, "the first one is");
            if rank == 0 {
                joined.upload(&[2.0; 4]);
            }
            assert_eq!(settled(joined.comm, status).0, SUCCESS);
            joined.download(4);
        });
        assert_found(&["while a collective was in progress"]);
    });
}

#[test]
fn ranks_that_do_different_things_are_named_with_both() {
    alone("ranks_that_do_different_things_are_named_with_both", || {
        both(|rank, id| {
            let joined = Rank::join(id, rank);
            joined.upload(&[1.0; 8]);
            let count = if rank == 0 { 8 } else { 4 };
            let mut status = settled(joined.comm, joined.all_reduce(count)).0;
            while status == SUCCESS {
                let _ = stream::cuStreamQuery(joined.stream);
                status = state(joined.comm);
            }
            assert_eq!(status, INVALID_USAGE);
            assert_eq!(ncclCommAbort(joined.comm), SUCCESS);
        });
        assert_found(&["operation 1", "rank 0 does AllReduce of 8", "rank 1 does AllReduce of 4"]);
    });
}

#[test]
fn memory_that_ends_before_an_operation_does_is_found() {
    alone("memory_that_ends_before_an_operation_does_is_found", || {
        both(|rank, id| {
            let joined = Rank::join(id, rank);
            assert_eq!(joined.all_reduce(17), INVALID_ARGUMENT);
        });
        assert_found(&["ncclAllReduce of 68 bytes", "ends 64 bytes after"]);
    });
}

#[test]
fn a_stream_that_is_gone_is_found() {
    alone("a_stream_that_is_gone_is_found", || {
        both(|rank, id| {
            let joined = Rank::join(id, rank);
            assert_eq!(stream::cuStreamDestroy_v2(joined.stream), Status::SUCCESS);
            assert_eq!(joined.all_reduce(4), UNHANDLED_CUDA_ERROR);
        });
        assert_found(&["ncclAllReduce on what is no stream"]);
    });
}

#[test]
fn two_ranks_on_one_gpu_are_refused() {
    alone("two_ranks_on_one_gpu_are_refused", || {
        both(|rank, id| {
            let (joined, status) = begin(id, rank, 0);
            assert_eq!(settled(joined.comm, status).0, INVALID_USAGE);
            assert_eq!(ncclCommAbort(joined.comm), SUCCESS);
        });
        let found = findings();
        assert!(found.len() == 1 && found[0].contains("Duplicate GPU detected"), "{found:?}");
    });
}

#[test]
fn a_communicator_is_destroyed_once_and_after_it_was_finalized() {
    alone("a_communicator_is_destroyed_once_and_after_it_was_finalized", || {
        both(|rank, id| {
            let joined = Rank::join(id, rank);
            assert_eq!(ncclCommDestroy(joined.comm), INVALID_USAGE);
            joined.leave();
            assert_eq!(ncclCommDestroy(joined.comm), INVALID_ARGUMENT);
        });
        let found = findings();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().any(|it| it.contains("that is Ready")));
        assert!(found.iter().any(|it| it.contains("that is Destroyed")));
    });
}

#[test]
fn a_group_that_was_not_begun_and_a_configuration_of_nobody_are_found() {
    alone("a_group_that_was_not_begun_and_a_configuration_of_nobody_are_found", || {
        assert_eq!(ncclGroupEnd(), INVALID_USAGE);
        assert_found(&["ncclGroupEnd without ncclGroupStart"]);
        enter(0);
        let mut config = Config { size: 24, magic: 0, version: 21_400, blocking: 0 };
        let (mut comm, id) = (ptr::null_mut(), new_id());
        // SAFETY: places are written, the configuration lives.
        let status = unsafe { ncclCommInitRankConfig(&raw mut comm, 2, id, 0, &raw mut config) };
        assert_eq!(status, INVALID_ARGUMENT);
        assert!(findings()[1].contains("NCCL_CONFIG_INITIALIZER"));
    });
}

#[test]
fn a_rank_that_is_gone_is_an_error_of_the_other_which_can_be_aborted() {
    alone("a_rank_that_is_gone_is_an_error_of_the_other_which_can_be_aborted", || {
        both(|rank, id| {
            let joined = Rank::join(id, rank);
            joined.upload(&[1.0; 4]);
            if rank == 1 {
                return assert_eq!(ncclCommAbort(joined.comm), SUCCESS);
            }
            let status = joined.all_reduce(4);
            let _ = settled(joined.comm, status);
            assert_eq!(stream::cuStreamQuery(joined.stream), Status::NOT_READY);
            assert_eq!(ncclCommAbort(joined.comm), SUCCESS);
            joined.download(4);
            assert_eq!(memory::cuMemFree_v2(joined.memory), Status::SUCCESS);
        });
        assert!(findings().is_empty());
    });
}
