//! What a run asks of its ranks, on threads of this process.

use super::*;

/// What `work` gives on each of `world` ranks, which are threads.
fn on_ranks<R: Send>(world: usize, work: impl Fn(Cluster) -> R + Sync) -> Vec<R> {
    let work = &work;
    std::thread::scope(|scope| {
        let start = |engine: InProcess| {
            scope.spawn(move || {
                let host = format!("n{}", engine.rank() / 2);
                work(Cluster::of(Arc::new(engine), &host).unwrap())
            })
        };
        let threads: Vec<_> = InProcess::team(world).into_iter().map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn sums_gathers_and_broadcasts_are_those_of_hand_for_any_number_of_ranks() {
    for world in [1, 2, 3, 5] {
        on_ranks(world, |cluster| {
            let rank = cluster.rank() as f32;
            let mut values = [rank, 10.0 * rank, 1.0];
            cluster.sum(&mut values).unwrap();
            let total = (0..world).sum::<usize>() as f32;
            assert_eq!(bits(&values), bits(&[total, 10.0 * total, world as f32]));
            let all = cluster.gather(&[f64::from(rank), 0.5]).unwrap();
            let want: Vec<Vec<f64>> = (0..world).map(|rank| vec![rank as f64, 0.5]).collect();
            assert_eq!(all, want);
            let words = cluster.gather_bytes(&vec![b'x'; cluster.rank()]).unwrap();
            assert!(words.iter().enumerate().all(|(rank, word)| word.len() == rank));
            let said = cluster.from_first(vec![7; cluster.rank() + 3]).unwrap();
            assert_eq!(said, [7; 3]);
            assert_eq!(cluster.sum::<f64>(&mut []), Ok(()), "nothing is a sum too");
            assert_eq!(cluster.gather::<f32>(&[]).unwrap().len(), world);
        });
    }
}

#[test]
fn numbers_of_batches_come_in_their_order_whoever_had_them_or_not_at_all() {
    let batch = |at: usize| [at as f64, -(at as f64)];
    for (world, batches) in [(1, 5), (2, 5), (3, 7), (4, 2), (3, 0)] {
        on_ranks(world, |cluster| {
            let mine: Vec<[f64; 2]> = cluster.turns((0..batches).map(batch)).collect();
            let all = cluster.in_turn(Some(&mine)).unwrap();
            assert_eq!(all, Some((0..batches).map(batch).collect()), "{world} ranks");
            let mine = (cluster.rank() > 0).then_some(&mine[..]);
            assert_eq!(cluster.in_turn(mine).unwrap(), None);
        });
    }
}

#[test]
fn a_part_of_a_sum_is_that_part_of_the_whole_sum() {
    on_ranks(4, |cluster| {
        let rank = cluster.rank();
        let values: Vec<f64> = (0..8).map(|i| (i * (rank + 1)) as f64).collect();
        let mut mine = [0.0; 2];
        cluster.engine.reduce_scatter(f64::sent(&values), f64::summed(&mut mine)).unwrap();
        let whole = |i: usize| (i * (1 + 2 + 3 + 4)) as f64;
        let want = [whole(2 * rank), whole(2 * rank + 1)];
        assert_eq!(mine.map(f64::to_bits), want.map(f64::to_bits));
        assert_eq!(cluster.scatter_sums(&values).unwrap(), want);
        assert!(cluster.scatter_sums::<f32>(&[]).unwrap().is_empty());
    });
}

#[test]
fn ranks_whose_parameters_drifted_apart_are_named() {
    on_ranks(4, |cluster| {
        assert_eq!(cluster.in_step(7, "ab"), Ok(()));
        let digest = if cluster.rank() == 2 { "ba" } else { "ab" };
        let error = cluster.in_step(8, digest).unwrap_err().to_string();
        for part in ["after 8 steps", "rank 2 on n1", "rank 0 on n0", "--resume"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(cluster.has_failed_together());
    });
}

#[test]
fn a_rank_that_fails_keeps_its_error_and_the_others_learn_who_it_was() {
    let found = on_ranks(3, |cluster| {
        let mine = if cluster.rank() == 2 {
            Err(ClusterError::Engine { engine: "disk".to_owned(), reason: "full".to_owned() })
        } else {
            Ok(cluster.rank())
        };
        let agreed = cluster.agree(Phase::Save, "saving", mine).unwrap_err().to_string();
        assert_eq!(
            cluster.agree::<_, ClusterError>(Phase::Start, "loading", Ok(7)),
            Ok(7),
            "all go on together"
        );
        agreed
    });
    let told = "rank 2 on n1 failed saving: disk: full";
    assert_eq!(found, [told, told, "disk: full"]);
}

#[test]
fn ranks_that_are_unlike_are_named_with_both_values() {
    let found = on_ranks(4, |cluster| {
        let value = if cluster.rank() < 3 { "abc" } else { "xyz" };
        assert_eq!(cluster.same("seed", "1"), Ok(()));
        cluster.same("dataset", value).unwrap_err().to_string()
    });
    for error in found {
        let parts = ["rank 3 on n1", "another dataset than rank 0 on n0", "xyz against abc"];
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
}

#[test]
fn a_rank_that_is_gone_is_an_error_of_those_that_wait_for_it() {
    let found = on_ranks(3, |cluster| {
        if cluster.rank() == 1 {
            return None;
        }
        Some((0..3).find_map(|_| cluster.barrier().err()))
    });
    assert_eq!(found[0], Some(Some(ClusterError::Gone { rank: 1 })));
    assert_eq!(found[2], Some(Some(ClusterError::Gone { rank: 1 })));
}

#[test]
fn a_cluster_tells_its_ranks_and_hosts() {
    let said = on_ranks(4, |cluster| (cluster.describe(), cluster.ranks_here()));
    assert_eq!(said[3], ("4 ranks on n0, n1, over threads of one process".to_owned(), 2));
    let many = on_ranks(12, |cluster| cluster.describe());
    assert!(many[0].contains("12 ranks on 6 hosts, n0 to n5"), "{}", many[0]);
}

#[test]
fn any_rank_raises_the_flag_of_all() {
    for raised in [None, Some(0), Some(2)] {
        let flags = |rank: usize| [rank == 1, Some(rank) == raised, false];
        let found = on_ranks(3, |cluster| cluster.any(flags(cluster.rank())).unwrap());
        assert_eq!(found, [[true, raised.is_some(), false]; 3]);
    }
}

#[test]
fn ranks_measure_themselves_each_other_and_agree_on_what_to_think_of_it() {
    use super::preflight::{self, Demand, Length, Severity};

    let folder = tempfile::tempdir().unwrap();
    let demand = Demand {
        folder: folder.path().join("run"),
        checkpoint_bytes: u64::MAX / 8,
        checkpoints: 2,
        rank_bytes: None,
    };
    for world in [1, 3, 4] {
        let reports = on_ranks(world, |cluster| {
            let rate = 1e9 * (1 + cluster.rank()) as f64;
            preflight::run(&cluster, Length::Short, Some(&demand), rate).unwrap()
        });
        let first = &reports[0];
        assert!(reports.iter().all(|it| it.findings == first.findings && it.pairs == first.pairs));
        let rates: Vec<f64> = first.of_ranks.iter().map(|it| it.flops_per_s).collect();
        assert_eq!(rates, [1e9, 2e9, 3e9, 4e9][..world]);
        let links = [0, 0, 0, 1, 1][world];
        assert_eq!((first.pairs.len(), first.num_pairs), (links, links), "two ranks on a host");
        assert_eq!(first.all_reduce.is_some(), world > 1);
        assert!(first.pairs.iter().all(|it| it.ranks == [0, 2] && it.bytes_per_s > 0.0));
        assert_eq!(first.findings[0].severity, Severity::Refusal);
        assert!(first.refusal().unwrap().contains("checkpoint.keep_last"));
        assert!(first.lines().iter().any(|line| line.contains("refused")), "{:?}", first.lines());
    }
}

#[test]
fn two_ranks_swap_what_they_have_while_others_do_not() {
    on_ranks(3, |cluster| {
        for round in 0..if cluster.rank() == 1 { 0 } else { 100 } {
            let (mine, mut theirs) = ([u8::try_from(cluster.rank()).unwrap(), round], [9; 2]);
            cluster.engine.swap(2 - cluster.rank(), &mine, &mut theirs).unwrap();
            assert_eq!(theirs, [2 - mine[0], round]);
        }
        cluster.barrier().unwrap();
    });
}
