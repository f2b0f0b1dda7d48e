//! What carries the numbers of NCCL between hosts, as far as can be known: NCCL does not say.
//!
//! It takes a network plugin where there is one, InfiniBand or RoCE where the system has a device for it, and
//! sockets otherwise. Source: NCCL user guide, "Environment variables", `NCCL_NET`, `NCCL_IB_DISABLE`.

use super::super::launch::Lookup;

/// What is known of this host.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// All ranks are on this host.
    pub(super) is_one_host: bool,
    /// Values of `NCCL_NET`, `NCCL_NET_PLUGIN`, `NCCL_IB_DISABLE`, `NCCL_SOCKET_IFNAME`.
    named: Option<String>,
    plugin: Option<String>,
    no_infiniband: bool,
    interface: Option<String>,
    /// Devices of InfiniBand or RoCE.
    devices: Vec<String>,
}

impl Facts {
    /// Asks this host.
    pub(super) fn here(is_one_host: bool, lookup: Lookup<'_>) -> Self {
        let given = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let folder = std::fs::read_dir("/sys/class/infiniband").into_iter().flatten().flatten();
        let mut devices: Vec<String> =
            folder.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
        devices.sort();
        Self {
            is_one_host,
            named: given("NCCL_NET"),
            plugin: given("NCCL_NET_PLUGIN").filter(|it| it != "none"),
            no_infiniband: given("NCCL_IB_DISABLE").is_some_and(|it| it != "0"),
            interface: given("NCCL_SOCKET_IFNAME"),
            devices,
        }
    }

    fn goes_over_sockets(&self) -> bool {
        let named = self.named.as_deref().map(str::to_lowercase);
        let unnamed = || self.plugin.is_none() && (self.no_infiniband || self.devices.is_empty());
        !self.is_one_host && named.map_or_else(unnamed, |named| named == "socket")
    }

    /// In words.
    pub(super) fn said(&self) -> String {
        if self.is_one_host {
            return "within one host".to_owned();
        }
        if self.goes_over_sockets() {
            let on = self.interface.as_ref().map_or(String::new(), |it| format!(" on {it}"));
            return format!("sockets{on}");
        }
        match (&self.named, &self.plugin) {
            (Some(named), _) => format!("network {named}"),
            (None, Some(plugin)) => format!("network plugin {plugin}"),
            (None, None) => format!("InfiniBand or RoCE ({})", self.devices.join(", ")),
        }
    }

    /// A sentence about what is slower than it may be.
    pub(super) fn warning(&self) -> Option<String> {
        self.goes_over_sockets().then(|| {
            let why = if self.no_infiniband {
                "NCCL_IB_DISABLE says so"
            } else {
                "this host has no device of InfiniBand or RoCE, and NCCL_NET_PLUGIN names no plugin"
            };
            format!(
                "note: NCCL goes between hosts over sockets, which is slow: {why}. A cluster with a fast network \
                 has a plugin for it (aws-ofi-nccl on Slingshot and EFA); NCCL_DEBUG=INFO says what is used"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_between_hosts_are_warned_of_and_nothing_else_is() {
        let device = || vec!["mlx5_0".to_owned()];
        let none = Facts::default;
        for (facts, said, is_slow) in [
            (Facts { is_one_host: true, ..none() }, "within one host", false),
            (none(), "sockets", true),
            (Facts { interface: Some("hsn0".into()), ..none() }, "sockets on hsn0", true),
            (Facts { devices: device(), ..none() }, "InfiniBand or RoCE (mlx5_0)", false),
            (Facts { devices: device(), no_infiniband: true, ..none() }, "sockets", true),
            (Facts { plugin: Some("ofi".into()), ..none() }, "network plugin ofi", false),
            (Facts { named: Some("Socket".into()), devices: device(), ..none() }, "sockets", true),
            (
                Facts { named: Some("AWS Libfabric".into()), ..none() },
                "network AWS Libfabric",
                false,
            ),
        ] {
            assert_eq!((facts.said().as_str(), facts.warning().is_some()), (said, is_slow));
        }
    }

    #[test]
    fn an_empty_or_zero_variable_says_nothing() {
        let set = [("NCCL_IB_DISABLE", "0"), ("NCCL_NET", ""), ("NCCL_NET_PLUGIN", "none")];
        let lookup = |name: &str| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let facts = Facts::here(false, &lookup);
        assert!(!facts.no_infiniband && facts.named.is_none() && facts.plugin.is_none());
    }
}
