//! Volumes of the cloud plugins that were part of Kubernetes, which CSI drivers have taken over
//! (`staging/src/k8s.io/csi-translation-lib/plugins`, Kubernetes 1.36).

use crate::yaml::View;

/// A plugin: its name, the driver that stands in for it, the field of a volume's source, and the field of that with the
/// volume's identity.
struct Plugin {
    name: &'static str,
    driver: &'static str,
    field: &'static str,
    id: &'static str,
}

const PLUGINS: [Plugin; 6] = [
    Plugin { name: "kubernetes.io/aws-ebs", driver: "ebs.csi.aws.com", field: "awsElasticBlockStore", id: "volumeID" },
    Plugin { name: "kubernetes.io/gce-pd", driver: "pd.csi.storage.gke.io", field: "gcePersistentDisk", id: "pdName" },
    Plugin { name: "kubernetes.io/cinder", driver: "cinder.csi.openstack.org", field: "cinder", id: "volumeID" },
    Plugin { name: "kubernetes.io/azure-disk", driver: "disk.csi.azure.com", field: "azureDisk", id: "diskURI" },
    Plugin {
        name: "kubernetes.io/vsphere-volume",
        driver: "csi.vsphere.vmware.com",
        field: "vsphereVolume",
        id: "volumePath",
    },
    Plugin {
        name: "kubernetes.io/portworx-volume",
        driver: "pxd.portworx.com",
        field: "portworxVolume",
        id: "volumeID",
    },
];

/// A volume of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InTree {
    /// `kubernetes.io/aws-ebs`, as `storage.alpha.kubernetes.io/migrated-plugins` of a CSINode names it.
    pub plugin: &'static str,
    pub driver: &'static str,
    pub id: String,
}

/// The volume of a source, if it is of such a plugin.
pub fn volume(source: View<'_>) -> Option<InTree> {
    PLUGINS.iter().find_map(|plugin| {
        let id = source.get(plugin.field)?.get_str(plugin.id).unwrap_or("");
        // EBS volumes may be written with their zone: aws://zone/vol-1.
        let id = if plugin.field == "awsElasticBlockStore" { id.rsplit('/').next().unwrap_or(id) } else { id };
        Some(InTree { plugin: plugin.name, driver: plugin.driver, id: id.to_owned() })
    })
}

/// The driver of a provisioner's name, if it is such a plugin.
pub fn driver(provisioner: &str) -> Option<&'static str> {
    PLUGINS.iter().find(|plugin| plugin.name == provisioner).map(|plugin| plugin.driver)
}
