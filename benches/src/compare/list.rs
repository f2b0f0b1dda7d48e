//! Every comparison there is, with the command lines of both sides.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use genesis_train::device::{DeviceChoice, KernelChoice};

use super::duel::{Better, Duel, Measure, Side};
use super::peers::{MACE, NEIGHBORS, Scripts, TRANSFORMER};
use super::program::Program;
use crate::case::{
    Case, Float, MaceCase, NeighborsCase, Network, ProteinsCase, Repeats, TransformerCase,
};

/// Structures of acetylacetone, inside the folder of data.
const ACAC: &str = "atomistic/acac/train_300K.xyz";
/// Proteins of natural lengths, inside the folder of data.
const PROTEINS: [&str; 2] = ["protein/ecoli_proteome.faa.gz", "protein/sprot_archaea.fasta"];

/// What all comparisons share.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The binary `genesis`.
    pub genesis: PathBuf,
    /// Python with PyTorch.
    pub python: PathBuf,
    /// Python with mace-torch and matscipy.
    pub mace_python: PathBuf,
    /// Programs of the peers.
    pub scripts: Scripts,
    /// Folder of data, when there is one.
    pub data: Option<PathBuf>,
    /// Threads of both sides.
    pub threads: usize,
    /// Steps that count; each comparison has its own number otherwise.
    pub steps: Option<usize>,
    /// Where both sides compute.
    pub device: DeviceChoice,
    /// Whose kernels ours are.
    pub kernels: KernelChoice,
    /// Whether the compiled variant of PyTorch runs as well.
    pub compiled: bool,
}

/// Width, layers and heads, and `(context, batch)`, of a transformer.
type Shape = ([usize; 3], (usize, usize));
const TRANSFORMERS: [Shape; 4] = [
    ([384, 6, 6], (256, 16)),
    ([384, 6, 6], (1024, 4)),
    ([384, 6, 6], (64, 64)),
    ([128, 4, 4], (64, 12)),
];
/// Name, channels and degree of the MACE.
const MACES: [(&str, usize, usize); 3] =
    [("32x0e", 32, 0), ("32x0e+32x1o", 32, 1), ("64x0e+64x1o+64x2e", 64, 2)];

/// The one that a processor has no time for.
const LARGE_MACE: (&str, usize, usize) = ("128x0e+128x1o", 128, 1);
/// Sequences of a step of GPT-2, as many as fit the memory of any data-centre GPU, and as many as fit
/// one of 80 GB.
const GPT2_BATCHES: [usize; 2] = [8, 32];

/// All of them. On a GPU also what would take a processor hours.
pub fn duels(settings: &Settings) -> Vec<Duel> {
    let mut list = Vec::new();
    for vocab in [65, 32_000] {
        for bf16 in [false, true] {
            for (sizes, shape) in TRANSFORMERS {
                for causal in [true, false] {
                    let case = transformer(settings, sizes, shape, vocab);
                    list.push(settings.transformer(TransformerCase { bf16, causal, ..case }));
                }
            }
        }
    }
    for (float, dtype) in [(Float::F32, "float32"), (Float::F64, "float64")] {
        list.extend(MACES.iter().map(|&mace| settings.mace(mace, float, dtype)));
    }
    if settings.device != DeviceChoice::Cpu {
        let repeats = settings.repeats(3, 10);
        let large = GPT2_BATCHES.map(|batch| TransformerCase::gpt2_124m(batch, repeats));
        list.extend(large.map(|case| settings.transformer(case)));
        list.push(settings.mace(LARGE_MACE, Float::F32, "float32"));
    }
    list.push(settings.proteins());
    list.push(settings.neighbors());
    list
}

fn transformer(
    settings: &Settings,
    [width, layers, heads]: [usize; 3],
    (context, batch): (usize, usize),
    vocab: usize,
) -> TransformerCase {
    let steps = if width * vocab.max(1000) > 200_000 { 4 } else { 20 };
    let repeats = settings.repeats(2, steps);
    let (network, bf16, causal) = (Network::Llama, false, true);
    TransformerCase { network, layers, width, heads, context, batch, vocab, bf16, causal, repeats }
}

impl Settings {
    fn repeats(&self, warmup: usize, steps: usize) -> Repeats {
        Repeats { warmup, steps: self.steps.unwrap_or(steps) }
    }

    fn transformer(&self, case: TransformerCase) -> Duel {
        let [precision, span] =
            [if case.bf16 { "bf16" } else { "f32" }, if case.causal { "causal" } else { "full" }];
        let suffix = if case.vocab == 65 { String::new() } else { format!("_v{}", case.vocab) };
        let (width, context) = (case.width, case.context);
        let name = match case.network {
            Network::Llama => format!("transformer_{precision}_w{width}_t{context}_{span}{suffix}"),
            Network::Gpt2 => format!("gpt2_124m_{precision}_t{context}_b{}", case.batch),
        };
        let mut args: Vec<OsString> = vec![self.scripts.path(TRANSFORMER).into()];
        push(&mut args, "layers", case.layers);
        push(&mut args, "width", case.width);
        push(&mut args, "heads", case.heads);
        push(&mut args, "context", case.context);
        push(&mut args, "batch", case.batch);
        push(&mut args, "vocab", case.vocab);
        push(&mut args, "steps", case.repeats.steps);
        push(&mut args, "warmup", case.repeats.warmup);
        push(&mut args, "threads", self.threads);
        args.extend(["--dtype".into(), precision.into()]);
        args.extend((!case.causal).then(|| "--full".into()));
        if case.network == Network::Gpt2 {
            args.extend(["--network".into(), "gpt2".into()]);
        }
        args.extend(self.device_of_peers());
        let compiled: Vec<OsString> = args.iter().cloned().chain(["--compile".into()]).collect();
        let side =
            |name: &str, args| Side { name: name.into(), program: self.peer(&self.python, args) };
        let mut peers = vec![side("eager", args)];
        peers.extend(self.compiled.then(|| side("compiled", compiled)));
        Duel {
            measures: vec![measure(name, "tokens_per_s", "tokens/s", Better::Higher)],
            ours: self.ours("genesis", &Case::Transformer(case)),
            peers,
            same: &["params"],
            skip: None,
        }
    }

    fn mace(
        &self,
        (hidden, channels, degree): (&str, usize, usize),
        float: Float,
        dtype: &str,
    ) -> Duel {
        let (file, skip) = self.file(ACAC);
        let repeats = self.repeats(5, if channels > 32 { 8 } else { 20 });
        let case = MaceCase { file: file.clone(), channels, degree, batch: 10, float, repeats };
        let mut args: Vec<OsString> = vec![self.scripts.path(MACE).into(), file.into()];
        push(&mut args, "channels", channels);
        push(&mut args, "degree", degree);
        push(&mut args, "batch", case.batch);
        push(&mut args, "steps", repeats.steps);
        push(&mut args, "warmup", repeats.warmup);
        args.extend(["--dtype".into(), dtype.into()]);
        args.extend(self.device_of_peers());
        let short = if float == Float::F32 { "f32" } else { "f64" };
        let row = |what, field| {
            measure(format!("mace_{what}_{short}_{hidden}"), field, "ms", Better::Lower)
        };
        let program = self.peer(&self.mace_python, args);
        Duel {
            measures: vec![row("train", "train_step_ms"), row("eval", "eval_ms")],
            ours: self.ours("genesis", &Case::Mace(case)),
            peers: vec![Side { name: "mace-torch".into(), program }],
            same: &["params", "atoms"],
            skip,
        }
    }

    fn proteins(&self) -> Duel {
        let files = PROTEINS.map(|file| self.file(file));
        let skip = files.iter().find_map(|(_, skip)| skip.clone());
        let inputs: Vec<PathBuf> = files.into_iter().map(|(file, _)| file).collect();
        let case = |padded| {
            let repeats = self.repeats(1, 4);
            Case::Proteins(ProteinsCase { inputs: inputs.clone(), padded, batch: 16, repeats })
        };
        let name = "protein_packed_over_padded".to_owned();
        Duel {
            measures: vec![measure(name, "tokens_per_s", "tokens/s", Better::Higher)],
            ours: self.ours("packed", &case(false)),
            peers: vec![self.ours("padded", &case(true))],
            same: &["params", "real_tokens"],
            skip,
        }
    }

    fn neighbors(&self) -> Duel {
        let repeats = self.repeats(1, 5);
        let sides = [50, 50, 40];
        let mut args: Vec<OsString> = vec![self.scripts.path(NEIGHBORS).into()];
        for (axis, side) in ["nx", "ny", "nz"].into_iter().zip(sides) {
            push(&mut args, axis, side);
        }
        push(&mut args, "steps", repeats.steps);
        push(&mut args, "warmup", repeats.warmup);
        let program = self.peer(&self.mace_python, args);
        let name = "neighbors_1e5_atoms".to_owned();
        Duel {
            measures: vec![measure(name, "build_ms", "ms", Better::Lower)],
            ours: self.ours("genesis", &Case::Neighbors(NeighborsCase { sides, repeats })),
            peers: vec![Side { name: "matscipy".into(), program }],
            same: &["atoms", "edges"],
            skip: None,
        }
    }

    /// A file of the data, and why it is not there.
    fn file(&self, name: &str) -> (PathBuf, Option<String>) {
        let Some(data) = &self.data else {
            let reason = format!("no folder of data with {name}: name one with --data");
            return (Path::new(name).to_path_buf(), Some(reason));
        };
        let path = data.join(name);
        let reason = (!path.is_file()).then(|| format!("{} is not there", path.display()));
        (path, reason)
    }

    fn ours(&self, name: &str, case: &Case) -> Side {
        let text = serde_json::to_string(case).unwrap_or_else(|_| unreachable!("plain data"));
        let mut args: Vec<OsString> = ["bench", "run-case"].map(OsString::from).to_vec();
        push(&mut args, "threads", self.threads);
        args.extend(["--device".into(), self.device.to_string().into()]);
        if self.kernels == KernelChoice::Reference {
            args.extend(["--kernels".into(), "reference".into()]);
        }
        args.push(text.into());
        let program = Program { path: self.genesis.clone(), args, env: Vec::new() };
        Side { name: name.into(), program }
    }

    /// The option of a peer's program; there is none for wgpu, which PyTorch does not have.
    fn device_of_peers(&self) -> Vec<OsString> {
        match self.device {
            DeviceChoice::Cuda { ordinal } => {
                vec!["--device".into(), format!("cuda:{ordinal}").into()]
            }
            DeviceChoice::Cpu | DeviceChoice::Wgpu { .. } => Vec::new(),
        }
    }

    /// The threads of a peer are set by the environment, which every one of them obeys. e3nn loads
    /// a file of its own package in a way that newer versions of PyTorch refuse unless asked.
    fn peer(&self, python: &Path, args: Vec<OsString>) -> Program {
        let threads = self.threads.to_string();
        let env = vec![
            ("OMP_NUM_THREADS".to_owned(), threads.clone()),
            ("MKL_NUM_THREADS".to_owned(), threads),
            ("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD".to_owned(), "1".to_owned()),
        ];
        Program { path: python.to_path_buf(), args, env }
    }
}

fn measure(name: String, field: &'static str, unit: &'static str, better: Better) -> Measure {
    Measure { name, field, unit, better }
}

fn push(args: &mut Vec<OsString>, name: &str, value: usize) {
    args.extend([format!("--{name}").into(), value.to_string().into()]);
}

#[cfg(test)]
mod tests {
    use super::super::select;
    use super::*;

    fn settings(data: Option<PathBuf>, own: &Path) -> Settings {
        Settings {
            genesis: "genesis".into(),
            python: "python".into(),
            mace_python: "mace-python".into(),
            scripts: Scripts::new(None, own).unwrap(),
            data,
            threads: 2,
            steps: Some(3),
            device: DeviceChoice::Cpu,
            kernels: KernelChoice::Own,
            compiled: true,
        }
    }

    fn names(duels: &[Duel]) -> Vec<&str> {
        duels.iter().flat_map(|it| &it.measures).map(|it| it.name.as_str()).collect()
    }

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let own = tempfile::tempdir().unwrap();
        let all = duels(&settings(None, own.path()));
        let mut sorted = names(&all);
        for name in [
            "transformer_f32_w384_t256_causal",
            "transformer_bf16_w128_t64_full_v32000",
            "mace_train_f32_32x0e+32x1o",
            "mace_eval_f64_32x0e",
            "protein_packed_over_padded",
            "neighbors_1e5_atoms",
        ] {
            assert!(sorted.contains(&name), "{name} in {sorted:?}");
        }
        assert_eq!(sorted.len(), 32 + 12 + 2);
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 32 + 12 + 2);
    }

    #[test]
    fn both_sides_get_the_same_sizes_steps_and_threads() {
        let own = tempfile::tempdir().unwrap();
        let wanted = ["transformer_bf16_w128_t64_full".to_owned()];
        let chosen = select(duels(&settings(None, own.path())), &wanted);
        let peer = chosen[0].peers[1].program.command_line();
        for part in [
            "OMP_NUM_THREADS=2",
            "--layers 4",
            "--width 128",
            "--heads 4",
            "--context 64",
            "--batch 12",
            "--vocab 65",
            "--steps 3",
            "--threads 2",
            "--dtype bf16",
            "--full",
            "--compile",
        ] {
            assert!(peer.contains(part), "{part} in {peer}");
        }
        let args = &chosen[0].ours.program.args;
        assert_eq!(args[..4], ["bench", "run-case", "--threads", "2"].map(OsString::from));
        assert_eq!(args[4..6], ["--device", "cpu"].map(OsString::from));
        let case: Case = serde_json::from_str(&args[6].to_string_lossy()).unwrap();
        let Case::Transformer(case) = case else { panic!("{case:?}") };
        let sizes = [case.layers, case.width, case.heads, case.context, case.batch, case.vocab];
        assert_eq!(sizes, [4, 128, 4, 64, 12, 65]);
        assert!(case.bf16 && !case.causal && case.repeats.steps == 3);
    }

    #[test]
    fn on_a_gpu_both_sides_are_sent_there_and_the_large_networks_are_measured_too() {
        let own = tempfile::tempdir().unwrap();
        let device = DeviceChoice::Cuda { ordinal: 1 };
        let kernels = KernelChoice::Reference;
        let all = duels(&Settings { device, kernels, ..settings(None, own.path()) });
        for name in ["gpt2_124m_bf16_t1024_b8", "mace_train_f32_128x0e+128x1o"] {
            assert!(names(&all).contains(&name), "{name} in {:?}", names(&all));
        }
        let gpt2 = select(all, &["gpt2_124m_bf16_t1024_b32".to_owned()]);
        let peer = gpt2[0].peers[1].program.command_line();
        for part in
            ["--network gpt2", "--vocab 50257", "--batch 32", "--device cuda:1", "--compile"]
        {
            assert!(peer.contains(part), "{part} in {peer}");
        }
        let ours = gpt2[0].ours.program.command_line();
        assert!(ours.contains("--device cuda:1 --kernels reference "), "{ours}");
    }

    #[test]
    fn without_data_the_rows_that_need_it_say_so_by_name() {
        let own = tempfile::tempdir().unwrap();
        let all = duels(&settings(None, own.path()));
        let skipped: Vec<&Duel> = all.iter().filter(|duel| duel.skip.is_some()).collect();
        assert_eq!(skipped.len(), 6 + 1);
        assert!(skipped[0].skip.as_ref().is_some_and(|it| it.contains(ACAC)));
        let missing = duels(&settings(Some(own.path().join("empty")), own.path()));
        let reason = missing[32].skip.clone().unwrap();
        assert!(reason.ends_with("train_300K.xyz is not there"), "{reason}");
    }

    #[test]
    fn a_pattern_keeps_the_rows_that_contain_it() {
        let own = tempfile::tempdir().unwrap();
        let all = duels(&settings(None, own.path()));
        let chosen = select(all.clone(), &["mace_eval".to_owned(), "neighbors".to_owned()]);
        assert_eq!(names(&chosen).len(), 7);
        assert!(select(all, &["nothing".to_owned()]).is_empty());
    }
}
