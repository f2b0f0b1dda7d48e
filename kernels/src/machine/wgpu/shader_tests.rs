//! Every kernel against what naga reads in its text, without a GPU: it is valid WGSL, its bindings,
//! parameters, workgroup and shared memory are what the host says, and WebGPU guarantees that it fits.

use std::collections::BTreeSet;
use std::path::Path;

use naga::valid::{Capabilities, GlobalUse, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Handle, Module, Scalar as Type, ScalarKind, StorageAccess, TypeInner};

use super::limits::Limits;
use super::params::Scalar;
use super::{Field, Shader};
use crate::families::shaders;

/// What naga knows of one text.
struct Read {
    module: Module,
    info: ModuleInfo,
}

impl Read {
    #[track_caller]
    fn new(shader: &Shader) -> Self {
        let text = shader.text();
        let name = shader.source.name();
        let module = naga::front::wgsl::parse_str(&text)
            .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(&text)));
        let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
            .validate(&module)
            .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(&text)));
        Self { module, info }
    }

    /// The entry point's globals: what it uses of them and what they are.
    fn globals(&self, shader: &Shader) -> Vec<&naga::GlobalVariable> {
        let at = self.entry(shader);
        let used = |handle: Handle<naga::GlobalVariable>| {
            self.info.get_entry_point(at)[handle] != GlobalUse::empty()
        };
        self.module.global_variables.iter().filter(|(h, _)| used(*h)).map(|(_, g)| g).collect()
    }

    #[track_caller]
    fn entry(&self, shader: &Shader) -> usize {
        let found = self.module.entry_points.iter().position(|entry| entry.name == shader.entry);
        found.unwrap_or_else(|| panic!("{} has no `{}`", shader.source.name(), shader.entry))
    }

    fn size(&self, ty: Handle<naga::Type>) -> u32 {
        self.module.types[ty].inner.size(self.module.to_ctx())
    }
}

#[test]
fn every_kernel_is_valid_with_every_set_of_constants() {
    for shader in shaders() {
        Read::new(&shader);
    }
}

#[test]
fn bindings_are_the_arrays_in_order_and_then_the_parameters() {
    for shader in shaders() {
        let read = Read::new(&shader);
        let mut bindings = vec![];
        for global in read.globals(&shader) {
            let Some(binding) = &global.binding else { continue };
            assert_eq!(binding.group, 0, "{}", shader.entry);
            let read_write = StorageAccess::LOAD | StorageAccess::STORE;
            match global.space {
                AddressSpace::Storage { access } => {
                    assert_eq!(access, read_write, "{}: {:?}", shader.entry, global.name);
                    assert!(binding.binding < shader.num_arrays, "{}", shader.entry);
                }
                AddressSpace::Uniform => assert_eq!(binding.binding, shader.num_arrays),
                space => panic!("{}: a binding in {space:?}", shader.entry),
            }
            bindings.push(binding.binding);
        }
        bindings.sort_unstable();
        let want: Vec<u32> = (0..=shader.num_arrays).collect();
        assert_eq!(bindings, want, "{}: {}", shader.source.name(), shader.entry);
    }
}

#[test]
fn parameters_have_the_layout_of_their_twin() {
    for shader in shaders() {
        let read = Read::new(&shader);
        let globals = read.globals(&shader);
        let uniform = globals.iter().find(|global| global.space == AddressSpace::Uniform);
        let ty = uniform.expect("every kernel has parameters").ty;
        let TypeInner::Struct { members, span } = &read.module.types[ty].inner else {
            panic!("{}: the parameters are no struct", shader.entry);
        };
        let fields: Vec<Field> = shader.fields.clone();
        assert_eq!(members.len(), fields.len(), "{}", shader.entry);
        assert_eq!(*span as usize, 4 * fields.len(), "{}", shader.entry);
        for (at, (member, field)) in members.iter().zip(&fields).enumerate() {
            assert_eq!(member.name.as_deref(), Some(&*field.name), "{}", shader.entry);
            assert_eq!(member.offset as usize, field.offset, "{}: {}", shader.entry, field.name);
            // The words of a launch stand in this order.
            assert_eq!(field.offset, 4 * at);
            let kind = match field.scalar {
                Scalar::U32 => ScalarKind::Uint,
                Scalar::I32 => ScalarKind::Sint,
                Scalar::F32 => ScalarKind::Float,
            };
            let inner = &read.module.types[member.ty].inner;
            assert_eq!(*inner, TypeInner::Scalar(Type { kind, width: 4 }), "{}", field.name);
        }
    }
}

#[test]
fn workgroups_and_their_memory_are_what_the_host_says_and_webgpu_guarantees() {
    for shader in shaders() {
        let read = Read::new(&shader);
        let entry = &read.module.entry_points[read.entry(&shader)];
        assert_eq!(entry.workgroup_size, shader.workgroup, "{}", shader.entry);
        let globals = read.globals(&shader);
        let shared = globals.iter().filter(|global| global.space == AddressSpace::WorkGroup);
        let bytes: u32 = shared.map(|global| read.size(global.ty)).sum();
        assert_eq!(bytes, shader.shared_bytes, "{}: {}", shader.source.name(), shader.entry);
        assert_eq!(Limits::GUARANTEED.check(&shader, [1; 3], 0), Ok(()));
    }
}

#[test]
fn every_wgsl_file_and_every_entry_point_is_launched_by_a_family() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let launched = shaders();
    let names: BTreeSet<&str> = launched.iter().map(|shader| shader.source.name()).collect();
    for file in wgsl_files(&source) {
        let name = file.strip_prefix(&source).expect("it is below").to_str().expect("a plain name");
        let name = name.replace('\\', "/");
        // Texts put before others have no entry point of their own.
        let text = std::fs::read_to_string(&file).expect("the file can be read");
        if launched.iter().any(|shader| shader.preludes.contains(&text.as_str())) {
            continue;
        }
        assert!(names.contains(name.as_str()), "{name} is in no list `shaders()` of a family");
        let of_file: Vec<&Shader> = launched.iter().filter(|s| s.source.name() == name).collect();
        for entry in &Read::new(of_file[0]).module.entry_points {
            let found = of_file.iter().any(|shader| shader.entry == entry.name);
            assert!(found, "{name}: nobody launches `{}`", entry.name);
        }
    }
}

fn wgsl_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => wgsl_files(&path),
            false if path.extension().is_some_and(|e| e == "wgsl") => vec![path],
            false => vec![],
        })
        .collect()
}
