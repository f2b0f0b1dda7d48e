//! What is kept, when it is used, and what is said when it cannot be made; with an engine that counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::*;

static SOURCE: Source = Source::of("scale/scale.cu", "// scale.cu\nbad line;\n");

/// "Compiles" to its options; fails on the define `FAIL`.
struct Fake {
    version: &'static str,
    calls: Arc<AtomicUsize>,
}

impl Engine for Fake {
    fn version(&self) -> String {
        self.version.into()
    }
    fn architectures(&self) -> Vec<u32> {
        vec![80, 90]
    }
    fn compile(&self, source: &Source, options: &[String]) -> Result<Vec<u8>, String> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if options.iter().any(|option| option == "-DFAIL=1") {
            return Err(format!("{}(2): error: `bad` is undefined\n1 error detected", source.name));
        }
        Ok(options.join(" ").into_bytes())
    }
}

#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

impl KernelStore for Memory {
    fn load(&self, name: &str) -> Option<Vec<u8>> {
        self.0.lock().unwrap().get(name).cloned()
    }
    fn save(&self, name: &str, bytes: &[u8]) {
        self.0.lock().unwrap().insert(name.into(), bytes.into());
    }
}

struct Bench {
    store: Arc<Memory>,
    calls: Arc<AtomicUsize>,
}

impl Bench {
    fn new() -> Self {
        Self { store: Arc::default(), calls: Arc::default() }
    }

    fn compiler(&self, version: &'static str, target: Target) -> Compiler {
        let engine = Box::new(Fake { version, calls: self.calls.clone() });
        Compiler::new(engine, Some(self.store.clone()), target)
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

fn defines(name: &str, value: &str) -> Defines {
    [(name.to_owned(), value.to_owned())].into()
}

#[test]
fn a_kept_binary_is_used_by_the_next_process() {
    let bench = Bench::new();
    let first = bench.compiler("1", Target::Code(80)).binary(&SOURCE, &Defines::new()).unwrap();
    let next = bench.compiler("1", Target::Code(80));
    assert_eq!(next.binary(&SOURCE, &Defines::new()).unwrap(), first);
    assert_eq!(bench.calls(), 1);
    assert_eq!(next.counts(), CompileCounts { loaded: 1, ..CompileCounts::default() });
}

#[test]
fn whatever_decides_the_binary_is_part_of_its_key() {
    let bench = Bench::new();
    let compile = |version, target, source: &Source, defines: &Defines| {
        bench.compiler(version, target).binary(source, defines).unwrap();
    };
    let none = Defines::new();
    let other = Source::of("scale/scale.cu", "// scale.cu\ngood line;\n");
    compile("1", Target::Code(80), &SOURCE, &none);
    compile("2", Target::Code(80), &SOURCE, &none);
    compile("1", Target::Code(90), &SOURCE, &none);
    compile("1", Target::Ptx(80), &SOURCE, &none);
    compile("1", Target::Code(80), &other, &none);
    compile("1", Target::Code(80), &SOURCE, &defines("TILE", "4"));
    compile("1", Target::Code(80), &SOURCE, &defines("TILE", "8"));
    assert_eq!((bench.calls(), bench.store.0.lock().unwrap().len()), (7, 7));
}

#[test]
fn a_damaged_entry_is_compiled_again_whatever_byte_changed() {
    let bench = Bench::new();
    let compiler = bench.compiler("1", Target::Code(80));
    let good = compiler.binary(&SOURCE, &Defines::new()).unwrap();
    let (name, whole) = bench.store.0.lock().unwrap().first_key_value().map(pair).unwrap();
    let flipped = (0..whole.len()).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    });
    let cut = (0..whole.len()).map(|len| whole[..len].to_vec());
    let damaged: Vec<Vec<u8>> = flipped.chain(cut).collect();
    for bytes in &damaged {
        bench.store.save(&name, bytes);
        assert_eq!(compiler.binary(&SOURCE, &Defines::new()).unwrap(), good);
        assert_eq!(bench.store.load(&name).unwrap(), whole, "the entry was repaired");
    }
    assert_eq!(compiler.counts().damaged, vec![name; damaged.len()]);
}

fn pair((name, bytes): (&String, &Vec<u8>)) -> (String, Vec<u8>) {
    (name.clone(), bytes.clone())
}

#[test]
fn an_error_names_file_line_text_target_and_defines() {
    let bench = Bench::new();
    let error = bench.compiler("fake-1", Target::Code(90)).binary(&SOURCE, &defines("FAIL", "1"));
    let said = error.unwrap_err().to_string();
    let want = "scale/scale.cu does not compile for sm_90a with {\"FAIL\": \"1\"} (fake-1) at \
                scale/scale.cu line 2: `bad line;`\nscale/scale.cu(2): error: `bad` is undefined\n\
                1 error detected";
    assert_eq!(said, want);
    assert!(bench.store.0.lock().unwrap().is_empty(), "failures are not kept");
}

#[test]
fn machine_code_where_it_is_known_and_ptx_of_the_newest_otherwise() {
    let known = [75, 80, 90];
    assert_eq!(Target::of(90, &known), Some(Target::Code(90)));
    assert_eq!(Target::of(100, &known), Some(Target::Ptx(90)));
    assert_eq!(Target::of(86, &known), Some(Target::Ptx(80)));
    assert_eq!(Target::of(70, &known), None);
    assert_eq!(Target::Ptx(90).to_string(), "compute_90");
}
