//! Common nodes for the short form: what is left for pods on machines of well-known sizes.
//!
//! Sizes are those of the providers' price lists, reservations those of their documentation (2026): GKE "Plan node
//! sizes", the bootstrap script of the Amazon EKS AMI, AKS "Node resource reservations". What a machine's kernel keeps
//! differs a little from image to image, so that a node may have some percent more or less.

use super::NodeShape;

/// Who reserves how much of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// Nothing is reserved: kind and minikube.
    Nobody,
    Aks,
    Eks,
    Gke,
}

/// What is left for pods on a common machine.
#[derive(Debug)]
pub struct Preset {
    name: &'static str,
    by: By,
    cores: i64,
    /// In Mi.
    memory: i64,
    pods: u32,
}

const fn preset(name: &'static str, by: By, cores: i64, gibibytes: i64, pods: u32) -> Preset {
    Preset { name, by, cores, memory: gibibytes * 1024, pods }
}

static PRESETS: [Preset; 24] = [
    // What their documentation asks of the machine; `cpu` and `memory` say what yours has.
    preset("kind", By::Nobody, 4, 8, 110),
    preset("minikube", By::Nobody, 2, 2, 110),
    preset("aks/Standard_B2s", By::Aks, 2, 4, 110),
    preset("aks/Standard_D2s_v5", By::Aks, 2, 8, 110),
    preset("aks/Standard_D4s_v5", By::Aks, 4, 16, 110),
    preset("aks/Standard_D8s_v5", By::Aks, 8, 32, 110),
    preset("aks/Standard_D16s_v5", By::Aks, 16, 64, 110),
    preset("eks/t3.medium", By::Eks, 2, 4, 17),
    preset("eks/t3.large", By::Eks, 2, 8, 35),
    preset("eks/c5.large", By::Eks, 2, 4, 29),
    preset("eks/c5.xlarge", By::Eks, 4, 8, 58),
    preset("eks/m5.large", By::Eks, 2, 8, 29),
    preset("eks/m5.xlarge", By::Eks, 4, 16, 58),
    preset("eks/m5.2xlarge", By::Eks, 8, 32, 58),
    preset("eks/m5.4xlarge", By::Eks, 16, 64, 234),
    preset("eks/r5.large", By::Eks, 2, 16, 29),
    preset("gke/e2-standard-2", By::Gke, 2, 8, 110),
    preset("gke/e2-standard-4", By::Gke, 4, 16, 110),
    preset("gke/e2-standard-8", By::Gke, 8, 32, 110),
    preset("gke/e2-standard-16", By::Gke, 16, 64, 110),
    preset("gke/n2-standard-2", By::Gke, 2, 8, 110),
    preset("gke/n2-standard-4", By::Gke, 4, 16, 110),
    preset("gke/n2-standard-8", By::Gke, 8, 32, 110),
    preset("gke/n2-standard-16", By::Gke, 16, 64, 110),
];

/// The names, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|preset| preset.name)
}

/// The preset of a name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

impl Preset {
    /// Fills in what an entry leaves to it; `pods` is what the entry says.
    pub fn fill(&self, shape: &mut NodeShape, pods: Option<u32>) {
        let (cpu, memory) = self.allocatable();
        if shape.cpu.is_empty() {
            shape.cpu = format!("{cpu}m");
        }
        if shape.memory.is_empty() {
            shape.memory = format!("{memory}Mi");
        }
        shape.pods = pods.unwrap_or(self.pods);
    }

    /// Thousandths of a core and Mi that are left for pods.
    fn allocatable(&self) -> (i64, i64) {
        // Memory that the kubelet keeps free by evicting pods (`evictionHard`).
        const EVICTION: i64 = 100;
        let (cores, memory) = (self.cores, self.memory);
        let (cpu, held) = match self.by {
            By::Nobody => return (cores * 1000, memory),
            By::Aks => (
                per_core(cores, &[600, 400, 200, 200], 100),
                (20 * i64::from(self.pods) + 50).min(memory / 4) + EVICTION,
            ),
            // The kernel of a machine of 8 GiB leaves 7748 Mi.
            By::Eks => (
                per_core(cores, &[600, 100, 50, 50], 25),
                memory * 54 / 1000 + 255 + 11 * i64::from(self.pods) + EVICTION,
            ),
            By::Gke => (per_core(cores, &[600, 100, 50, 50], 25), steps(memory) + EVICTION),
        };
        (cores * 1000 - cpu, memory - held)
    }
}

/// Tenths of a thousandth of the first cores, and of each other; rounded up.
fn per_core(cores: i64, first: &[i64], other: i64) -> i64 {
    let tenths: i64 = (0..cores).map(|core| first.get(core as usize).copied().unwrap_or(other)).sum();
    (tenths + 9) / 10
}

/// 25 % of the first 4 GiB, 20 % of the next 4, 10 % of the next 8 and 6 % of what is above.
fn steps(memory: i64) -> i64 {
    let part = |from: i64, to: i64| (memory.min(to * 1024) - from * 1024).max(0);
    (part(0, 4) * 25 + part(4, 8) * 20 + part(8, 16) * 10 + part(16, 128) * 6) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(name: &str, shape: NodeShape) -> (String, String, u32) {
        let mut shape = shape;
        find(name).unwrap().fill(&mut shape, None);
        (shape.cpu, shape.memory, shape.pods)
    }

    #[test]
    fn presets_have_what_the_providers_leave() {
        let all = |name: &str| filled(name, NodeShape::default());
        // `kubectl describe node` of such machines: 1930m, 7074 Mi of 29 pods at most; GKE's table says 1.93 and 6.1 GB.
        assert_eq!(all("eks/m5.large"), ("1930m".to_owned(), "7076Mi".to_owned(), 29));
        assert_eq!(all("gke/e2-standard-2"), ("1930m".to_owned(), "6249Mi".to_owned(), 110));
        assert_eq!(all("aks/Standard_D2s_v5"), ("1900m".to_owned(), "6044Mi".to_owned(), 110));
        assert_eq!(all("aks/Standard_D8s_v5").0, "7820m");
        assert_eq!(all("minikube"), ("2000m".to_owned(), "2048Mi".to_owned(), 110));
        let own = NodeShape { cpu: "8".to_owned(), ..NodeShape::default() };
        assert_eq!(filled("kind", own), ("8".to_owned(), "8192Mi".to_owned(), 110));
        assert!(find("eks/m5").is_none());
    }
}
