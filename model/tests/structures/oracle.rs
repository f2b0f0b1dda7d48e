//! Reading the reference folders of mace-torch models.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use genesis_kernels::Cpu;
use genesis_model::{
    Params,
    equivariant::{
        Blueprint, MaceConfig,
        mace_torch::{HostTensor, config_from_json, import},
    },
};
use genesis_schema::atoms::{Frame, Matrix, Vector};
use safetensors::{Dtype, SafeTensors};

const SYMBOLS: &str = "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu \
    Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm \
    Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np \
    Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og";

/// One reference folder, read and imported.
pub(crate) struct Oracle {
    pub(crate) name: String,
    pub(crate) config: MaceConfig,
    pub(crate) tensors: BTreeMap<String, HostTensor>,
    pub(crate) blueprint: Blueprint,
    pub(crate) params: Params<Cpu>,
    pub(crate) frames: Vec<Frame>,
    pub(crate) expected: BTreeMap<String, HostTensor>,
}

/// The folder of reference outputs: that of the shared folder, or `GENESIS_EQUIVARIANT_ORACLES`.
#[expect(
    clippy::disallowed_methods,
    reason = "where reference data lies is the test's own business"
)]
pub(crate) fn root() -> Option<PathBuf> {
    let shared = std::env::var("GENESIS_SHARED")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let root = std::env::var("GENESIS_EQUIVARIANT_ORACLES")
        .map_or_else(|_| shared.join("oracles/equivariant"), PathBuf::from);
    root.is_dir().then_some(root)
}

/// Runs `check` on every folder with a model.
pub(crate) fn for_each(check: impl Fn(&Oracle)) {
    let Some(root) = root() else {
        println!("SKIPPED: no reference folders; set GENESIS_SHARED");
        return;
    };
    let mut folders: Vec<_> = fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).collect();
    folders.retain(|folder| folder.join("oracle.safetensors").is_file());
    folders.sort();
    assert!(!folders.is_empty(), "no folder holds an oracle.safetensors");
    for folder in folders {
        check(&read(&folder));
    }
}

fn read(folder: &Path) -> Oracle {
    let json = fs::read_to_string(folder.join("config.json")).unwrap();
    let config = config_from_json(&serde_json::from_str(&json).unwrap()).unwrap();
    let tensors = read_tensors(&folder.join("model.safetensors"));
    let imported = import(&config, &tensors).unwrap();
    let specs = imported.blueprint.specs().clone();
    let params = Params::from_host(specs, &imported.parameters, &super::device()).unwrap();
    Oracle {
        name: folder.file_name().unwrap().to_string_lossy().into_owned(),
        config,
        tensors,
        blueprint: imported.blueprint,
        params,
        frames: read_frames(&fs::read_to_string(folder.join("frames.extxyz")).unwrap()),
        expected: read_tensors(&folder.join("oracle.safetensors")),
    }
}

pub(crate) fn read_tensors(path: &Path) -> BTreeMap<String, HostTensor> {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F64 => words(data, f64::from_le_bytes),
            Dtype::F32 => words(data, |b| f64::from(f32::from_le_bytes(b))),
            Dtype::I64 => words(data, |b| i64::from_le_bytes(b) as f64),
            Dtype::I32 => words(data, |b| f64::from(i32::from_le_bytes(b))),
            Dtype::BOOL => words(data, |[b]: [u8; 1]| f64::from(b)),
            other => panic!("{name} is {other:?}"),
        };
        (name, HostTensor { shape: view.shape().to_vec(), values })
    };
    file.tensors().into_iter().map(tensor).collect()
}

fn words<const W: usize>(data: &[u8], read: impl Fn([u8; W]) -> f64) -> Vec<f64> {
    data.chunks_exact(W).map(|word| read(word.try_into().unwrap())).collect()
}

/// Frames as the reference script writes them: species, positions, forces.
fn read_frames(text: &str) -> Vec<Frame> {
    let mut lines = text.lines();
    let mut frames = Vec::new();
    while let Some(count) = lines.next() {
        let header = lines.next().unwrap();
        assert!(header.contains("Properties=species:S:1:pos:R:3:REF_forces:R:3"), "{header}");
        let atoms = lines.by_ref().take(count.trim().parse().unwrap());
        frames.push(read_frame(header, &atoms.collect::<Vec<_>>()));
    }
    frames
}

fn read_frame(header: &str, atoms: &[&str]) -> Frame {
    let rows: Vec<Vec<&str>> = atoms.iter().map(|line| line.split_whitespace().collect()).collect();
    let vector = |row: &[&str], first: usize| -> Vector {
        std::array::from_fn(|axis| row[first + axis].parse().unwrap())
    };
    let lattice: Vec<f64> =
        field(header, "Lattice").split_whitespace().map(|x| x.parse().unwrap()).collect();
    let cell: Matrix =
        std::array::from_fn(|row| std::array::from_fn(|axis| lattice[3 * row + axis]));
    let flags: Vec<bool> =
        field(header, "pbc").split_whitespace().map(|flag| flag == "T").collect();
    let numbers: Vec<u8> = rows.iter().map(|row| atomic_number(row[0])).collect();
    let positions = rows.iter().map(|row| vector(row, 1)).collect();
    let mut frame = super::frame(&numbers, positions);
    frame.cell = cell;
    frame.periodic = flags.try_into().unwrap();
    frame.labels.energy = Some(field(header, "REF_energy").parse().unwrap());
    frame.labels.forces = Some(rows.iter().map(|row| vector(row, 4)).collect());
    frame
}

fn field<'a>(header: &'a str, key: &str) -> &'a str {
    let start = header.find(&format!("{key}=")).unwrap() + key.len() + 1;
    let rest = &header[start..];
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap(),
        None => rest.split_whitespace().next().unwrap(),
    }
}

fn atomic_number(symbol: &str) -> u8 {
    let at = SYMBOLS.split_whitespace().position(|other| other == symbol).unwrap();
    u8::try_from(at + 1).unwrap()
}
