//! The launch of a kernel on the queue of its arrays.

use cubecl::prelude::CubeCount;
use cubecl::server::{KernelArguments, MetadataBindingInfo};

use super::limits::Limits;
use super::{Array, Shader};

impl Shader {
    /// Runs the kernel on `groups` workgroups with the words of its numbers; nothing happens when there are none.
    /// Arrays are bound in their order; the last one is on the device that runs it.
    ///
    /// # Panics
    /// When the arrays are not those of the kernel, or the device does not allow the launch.
    pub(super) fn run(&self, arrays: &[&Array], words: &[u32], groups: [u32; 3]) {
        if groups.contains(&0) {
            return;
        }
        let entry = self.entry;
        assert!(
            arrays.len() == self.num_arrays as usize,
            "{entry}: launched with {} arrays but it binds {}",
            arrays.len(),
            self.num_arrays
        );
        let client = arrays[arrays.len() - 1].client();
        let properties = client.properties();
        let limits = Limits::of(&properties.hardware, properties.memory.max_page_size);
        let largest = arrays.iter().map(|array| 4 * array.len() as u64).max().unwrap_or_default();
        // The sizes of a run and its adapter do not go together: nothing else could compute it.
        let problem = limits.check(self, groups, largest).err().map(|error| error.to_string());
        assert!(problem.is_none(), "{}", problem.unwrap_or_default());
        let arguments = KernelArguments::new()
            .with_buffers(arrays.iter().map(|array| array.binding()).collect())
            .with_info(MetadataBindingInfo::custom(pairs(words)));
        let [x, y, z] = groups;
        let count = CubeCount::Static(x, y, z);
        // SAFETY: kernels guard every access and every loop of theirs is bounded by the numbers of
        // the launch; they are executed on an adapter by the tests of their family.
        unsafe { client.launch_unchecked(Box::new(self.clone()), count, arguments) };
    }
}

/// Two words in each number, as cubecl takes them; the last one may be filled up.
fn pairs(words: &[u32]) -> Vec<u64> {
    let pair = |pair: &[u32]| {
        let [low, high] = [pair[0], pair.get(1).copied().unwrap_or_default()].map(u32::to_ne_bytes);
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&low);
        bytes[4..].copy_from_slice(&high);
        u64::from_ne_bytes(bytes)
    };
    words.chunks(2).map(pair).collect()
}

/// Most workgroups along x where more are spread over y: what WebGPU guarantees.
const ALONG_X: u32 = 65_535;

/// Workgroups numbered `x + y * num_workgroups.x`, at least `count` of them; kernels return from
/// those with a number of `count` or more.
pub(super) fn spread(count: usize) -> [u32; 3] {
    let count = u32::try_from(count).expect("a launch has fewer workgroups than u32 can count");
    [count.min(ALONG_X), count.div_ceil(ALONG_X), 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_filled_up_and_the_first_comes_first_in_memory() {
        let bytes: Vec<u8> = pairs(&[1, 2, 3]).iter().flat_map(|x| x.to_ne_bytes()).collect();
        let words: Vec<u8> = [1_u32, 2, 3, 0].iter().flat_map(|x| x.to_ne_bytes()).collect();
        assert_eq!(bytes, words);
    }

    #[test]
    fn more_groups_than_one_axis_holds_are_spread_over_two() {
        assert_eq!(spread(0), [0, 0, 1]);
        assert_eq!(spread(65_535), [65_535, 1, 1]);
        assert_eq!(spread(65_536), [65_535, 2, 1]);
    }
}
