//! Batches of graphs: budgets, order, ranks, prefetch.

use std::sync::Arc;

use super::support::{Folder, run, waters};
use genesis_data::dataset::{Loader, Split};
use genesis_data::structures::StructuresIngest;
use genesis_data::structures::ingest::ValidationChoice;
use genesis_data::structures::{
    Budgets, StructuresDataset, StructuresLoader, StructuresLoaderPlan, mean_in_degree,
    neighbor_list,
};
use genesis_schema::GraphBatch;

fn dataset(folder: &Folder) -> Arc<StructuresDataset> {
    folder.write("a.xyz", &waters(0..60));
    folder.write("test.xyz", &waters(60..75));
    let plan = StructuresIngest {
        validation: ValidationChoice::Count { frames: 10, seed: 0 },
        test: vec![folder.path("test.xyz")],
        ..folder.plan(&["a.xyz"])
    };
    run(&plan);
    Arc::new(StructuresDataset::open(&plan.output).unwrap())
}

fn plan(frames_per_step: usize, max_atoms: usize) -> StructuresLoaderPlan {
    let budgets = Budgets { max_atoms, max_edges: 10_000 };
    StructuresLoaderPlan {
        cutoff: 3.0,
        frames_per_step,
        parts: 1,
        budgets,
        rank: 0,
        world: 1,
        seed: 7,
    }
}

fn ids(batches: &[GraphBatch]) -> Vec<u64> {
    batches.iter().flat_map(|batch| batch.frame_ids.clone()).collect()
}

#[test]
fn budgets_change_how_a_step_is_cut_and_not_what_it_holds() {
    let folder = Folder::new();
    let dataset = dataset(&folder);
    let step = |max_atoms| {
        let loader = StructuresLoader::new(Arc::clone(&dataset), plan(8, max_atoms)).unwrap();
        loader.step(3).unwrap()
    };
    let (whole, cut) = (step(1000), step(7));
    assert_eq!((whole.len(), cut.len()), (1, 4), "two molecules of three atoms fit seven");
    assert_eq!(ids(&whole), ids(&cut));
    for batch in &cut {
        assert!(batch.num_atoms() <= 7 && batch.num_edges() == 6 * batch.num_frames());
    }
    assert!(whole[0].edges.receivers.is_sorted());
    assert_eq!(whole[0].first_edge[8], 48);
}

#[test]
fn an_epoch_visits_every_structure_once_and_ranks_share_each_step() {
    let folder = Folder::new();
    let dataset = dataset(&folder);
    let loader = |rank, world| {
        let plan = StructuresLoaderPlan { rank, world, ..plan(10, 100) };
        StructuresLoader::new(Arc::clone(&dataset), plan).unwrap()
    };
    let alone = loader(0, 1);
    let mut seen: Vec<u64> = (0..5).flat_map(|s| ids(&alone.step(s).unwrap())).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
    assert_eq!(alone.position(5).unwrap(), 50);
    for step in [0, 4, 11] {
        let parts: Vec<u64> = (0..2).flat_map(|r| ids(&loader(r, 2).step(step).unwrap())).collect();
        assert_eq!(parts, ids(&alone.step(step).unwrap()));
    }
    let refused = StructuresLoaderPlan { world: 3, ..plan(10, 100) };
    let message = StructuresLoader::new(Arc::clone(&dataset), refused).unwrap_err().to_string();
    assert!(message.contains("10 structures") && message.contains("3 ranks"), "{message}");
}

#[test]
fn prefetched_steps_are_the_steps_and_evaluation_is_in_fixed_order() {
    let folder = Folder::new();
    let loader = Arc::new(StructuresLoader::new(dataset(&folder), plan(6, 9)).unwrap());
    let ahead = Arc::clone(&loader).prefetch(4, 3);
    for (want, made) in (4..9).zip(ahead) {
        let (step, batches) = made.unwrap();
        assert_eq!((step, batches), (want, loader.parts(want).unwrap()));
    }
    let evaluate = |split, max| {
        let batches: Vec<GraphBatch> = loader.evaluation(split, max).map(Result::unwrap).collect();
        assert!(batches.iter().all(|batch| batch.num_frames() > 0 && batch.num_atoms() <= 9));
        ids(&batches)
    };
    assert_eq!(evaluate(Split::Validation, None), (0..10).collect::<Vec<_>>());
    assert_eq!(evaluate(Split::Test, None), (0..15).collect::<Vec<_>>());
    assert_eq!(evaluate(Split::Test, Some(5)), [0, 3, 6, 9, 12]);
}

#[test]
fn a_structure_larger_than_the_budget_is_named_with_both_numbers_and_the_way_out() {
    let folder = Folder::new();
    folder.write("a.xyz", &waters(0..20));
    let large = (0..5000u32).fold(
        "5000\nProperties=species:S:1:pos:R:3:forces:R:3 energy=0\n".to_owned(),
        |text, i| {
            let [x, y, z] = [i % 20, i / 20 % 20, i / 400].map(|n| 2.0 * f64::from(n));
            text + &format!("He {x} {y} {z} 0 0 0\n")
        },
    );
    folder.write("b.xyz", &large);
    run(&folder.plan(&["a.xyz", "b.xyz"]));
    let dataset = Arc::new(StructuresDataset::open(&folder.path("out")).unwrap());
    let loader = StructuresLoader::new(dataset, plan(21, 1000)).unwrap();
    let message = loader.step(0).unwrap_err().to_string();
    assert!(message.contains("5000 atoms") && message.contains("1000 atoms"), "{message}");
    assert!(message.contains("b.xyz:1") && message.contains("at least 5000"), "{message}");
}

#[test]
fn the_average_number_of_neighbours_is_that_of_the_training_split() {
    let folder = Folder::new();
    let dataset = dataset(&folder);
    let mean = dataset.average_num_neighbors(5.0).unwrap();
    assert!((mean - 2.0).abs() < 1e-15, "every atom of a molecule of three has two neighbours");
    assert!((dataset.card().part.neighbors.mean - mean).abs() < 1e-15);
    let frame = dataset.frame(Split::Train, 0).unwrap().frame;
    let edges = neighbor_list(&frame.positions, &frame.cell, frame.periodic, 1.2).unwrap();
    assert!((mean_in_degree(&edges) - 4.0 / 3.0).abs() < 1e-15);
}

#[test]
fn parts_of_structures_are_packed_apart_and_the_same_on_any_number_of_ranks() {
    let folder = Folder::new();
    let dataset = dataset(&folder);
    let parts = |world: usize| -> Vec<Vec<GraphBatch>> {
        let of_rank = |rank| {
            let plan = StructuresLoaderPlan { parts: 4 / world, rank, world, ..plan(8, 7) };
            StructuresLoader::new(Arc::clone(&dataset), plan).unwrap().parts(3).unwrap()
        };
        (0..world).flat_map(of_rank).collect()
    };
    let alone = parts(1);
    assert_eq!(alone.iter().map(|part| ids(part).len()).collect::<Vec<_>>(), [2; 4]);
    assert!([2, 4].iter().all(|&world| parts(world) == alone));
    let refused = StructuresLoaderPlan { parts: 3, ..plan(8, 7) };
    assert!(StructuresLoader::new(dataset, refused).is_err(), "8 structures in 3 parts");
}
