//! Published figures of three small MACE models with pseudo-random parameters: energies, forces,
//! stress, and a loss with gradients. They were made with mace-torch 0.3.15 and e3nn 0.4.4 in f64.
#![allow(
    clippy::unwrap_used,
    clippy::unreadable_literal,
    reason = "functions of a test, where a panic is the report; figures stand as they were published"
)]

mod structures;

use genesis_model::equivariant::{
    Blueprint, CouplingSigns, InteractionKind, LossConfig, LossCounts, MaceConfig, Penalty,
    loss_and_gradients,
};

struct Golden {
    config: MaceConfig,
    num_parameters: usize,
    energy: f64,
    force_on_oxygen: [f64; 3],
    periodic_energy: f64,
    /// xx, yy, zz, yz, xz, xy
    stress: [f64; 6],
}

fn model_a() -> Golden {
    Golden {
        config: MaceConfig {
            interaction_first: InteractionKind::RealAgnostic,
            max_ell: 2,
            correlation: 2,
            ..structures::config()
        },
        num_parameters: 20668,
        energy: -7.499_981_189_283_657,
        force_on_oxygen: [-0.018822026428835393, -0.0340945884762236, 0.02475217234014355],
        periodic_energy: -7.500469477125463,
        stress: [
            1.535539290928084e-4,
            -8.802640009122769e-5,
            4.4187166212844915e-5,
            2.286501925269341e-5,
            1.5719260337251795e-4,
            8.169936505976262e-5,
        ],
    }
}

fn model_b() -> Golden {
    Golden {
        config: structures::config(),
        num_parameters: 22872,
        energy: -7.694662420544766,
        force_on_oxygen: [-0.011242126909437558, -0.015199113701028055, -0.030024825895839515],
        periodic_energy: -7.694831629221455,
        stress: [
            4.16478820728668e-4,
            -6.70841640780948e-5,
            -7.312398632175599e-4,
            1.4217775094411522e-4,
            1.7059210736012866e-4,
            -7.193527052448725e-5,
        ],
    }
}

fn model_c() -> Golden {
    Golden {
        config: MaceConfig {
            interaction_first: InteractionKind::RealAgnostic,
            max_hidden_degree: 2,
            num_interactions: 3,
            ..structures::config()
        },
        num_parameters: 41308,
        energy: -7.3743716913083475,
        force_on_oxygen: [-0.029824616679148853, -0.06213085621099733, 0.04587747728072865],
        periodic_energy: -7.374414031559355,
        stress: [
            -7.75720459135148e-4,
            -3.045542467306966e-4,
            -4.7378264233184885e-4,
            2.8961509921449676e-4,
            1.0436476015292322e-4,
            -2.9403136326601817e-4,
        ],
    }
}

#[test]
fn three_models_have_the_published_energies_forces_and_stress() {
    for (name, golden) in [("A", model_a()), ("B", model_b()), ("C", model_c())] {
        let blueprint = Blueprint::new(golden.config).unwrap();
        assert_eq!(blueprint.num_parameters(), golden.num_parameters, "{name}");
        let params = structures::golden_params(&blueprint);
        let got =
            structures::run(&blueprint, &params, &[structures::molecule(), structures::crystal()]);
        // The published figures come from another order of sums of a few thousand terms.
        structures::assert_close(got.energies[0], golden.energy, 2e-13, name);
        structures::assert_close(got.energies[1], golden.periodic_energy, 2e-13, name);
        let forces = got.forces.unwrap();
        structures::assert_vectors(&forces[..1], &[golden.force_on_oxygen], 1e-13, name);
        let stress = got.stress.unwrap()[1].unwrap();
        let voigt = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)];
        for ((row, axis), want) in voigt.into_iter().zip(golden.stress) {
            structures::assert_close(stress[row][axis], want, 1e-15, name);
            structures::assert_close(stress[axis][row], want, 1e-15, name);
        }
    }
}

#[test]
fn energies_of_atoms_of_model_a_are_the_published_ones() {
    let blueprint = Blueprint::new(model_a().config).unwrap();
    let params = structures::golden_params(&blueprint);
    let got = structures::run(&blueprint, &params, &[structures::molecule()]).node_energies;
    // Published with ten decimals.
    let want = [-2.8802299329, -0.8995728915, -0.9082557181, -1.9104211482, -0.9015014986];
    got.iter()
        .zip(want)
        .for_each(|(got, want)| structures::assert_close(*got, want, 5.1e-11, "atom"));
}

/// Models B and C, which have products of three factors to degree 1, notice the sign table.
#[test]
fn the_signs_of_newer_e3nn_give_the_published_wrong_energies() {
    for (golden, want) in [(model_b(), -7.694658044041525), (model_c(), -7.374371830943743)] {
        let config = MaceConfig { coupling_signs: CouplingSigns::E3nn05, ..golden.config };
        let blueprint = Blueprint::new(config).unwrap();
        let params = structures::golden_params(&blueprint);
        let got = structures::run(&blueprint, &params, &[structures::molecule()]);
        structures::assert_close(got.energies[0], want, 2e-13, "energy");
    }
}

const PUBLISHED: [&str; 7] = [
    "node_embedding.linear.weight",
    "interactions.0.conv_tp_weights.layer0.weight",
    "interactions.1.conv_tp_weights.layer3.weight",
    "interactions.1.linear.weight",
    "products.0.symmetric_contractions.contractions.1.weights_max",
    "products.1.symmetric_contractions.contractions.0.weights.0",
    "readouts.1.linear_2.weight",
];

#[test]
fn the_loss_and_norms_of_gradients_are_the_published_ones() {
    let a = [
        0.1360361131,
        0.2283620865,
        0.0063327491,
        0.0106395286,
        7.5426158e-4,
        0.0092094762,
        0.0506225775,
    ];
    let b = [
        0.3103750827,
        0.3101842543,
        0.1419157832,
        0.0980007498,
        0.0043855603,
        0.0211841626,
        0.0985288086,
    ];
    let cases = [
        (model_a(), 0.7624526911602908, 0.5677991982327101, a),
        (model_b(), 0.7376962747236337, 0.9392633173785438, b),
    ];
    for (golden, want_loss, want_total, wanted) in cases {
        let blueprint = Blueprint::new(golden.config).unwrap();
        let mut frame = structures::molecule();
        frame.labels.energy = Some(-7.4);
        let force = |i: u32| [0, 1, 2].map(|c| 0.01 * f64::from(3 * i + c));
        frame.labels.forces = Some((0..5).map(force).collect());
        let batch = structures::batch(4.5, &[frame]);
        let loss = LossConfig {
            penalty: Penalty::Weighted {},
            energy_weight: 1.0,
            forces_weight: 100.0,
            stress_weight: 0.0,
        };
        let params = structures::golden_params(&blueprint);
        let got =
            loss_and_gradients(&blueprint, &params, &batch, &loss, LossCounts::of(&batch)).unwrap();
        structures::assert_close(got.terms.total(), want_loss, 1e-12, "loss");
        let squares: Vec<f64> = got
            .gradients
            .iter()
            .map(|gradient| {
                let values: Vec<f64> = gradient.to_data().into_vec().unwrap();
                values.iter().map(|x| x * x).sum()
            })
            .collect();
        structures::assert_close(squares.iter().sum::<f64>().sqrt(), want_total, 1e-12, "total");
        for (name, want) in PUBLISHED.into_iter().zip(wanted) {
            let at = blueprint.specs().iter().position(|spec| spec.name == name).unwrap();
            // Published with ten decimals, the last of them up to one off.
            structures::assert_close(squares[at].sqrt(), want, 1.1e-10, name);
        }
    }
}
