//! Rules on images.

use super::Cx;
use crate::model::pod::ContainerRole;

/// Tag and digest of an image reference.
fn tag_and_digest(image: &str) -> (Option<&str>, Option<&str>) {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let last = name.rsplit('/').next().unwrap_or(name);
    (last.split_once(':').map(|(_, tag)| tag), digest)
}

/// No tag or `latest`, and no digest.
pub(super) fn image_tag_mutable(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in template.containers() {
        let Some(image) = container.view.get("image") else { continue };
        let text = image.str().unwrap_or_default();
        let message = match tag_and_digest(text) {
            (None, None) if !text.is_empty() => format!("`{text}` has no tag, so it means `latest`"),
            (Some("latest"), None) => format!("`{text}` names the moving tag `latest`"),
            _ => continue,
        };
        cx.report(image, message).help = Some("name a version or a digest".to_owned());
    }
}

/// A moving tag that is not pulled again, or `Never`, which fails where the image is absent.
pub(super) fn image_pull_policy(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in template.containers().filter(|container| container.role != ContainerRole::Ephemeral) {
        let Some(policy) = container.view.get("imagePullPolicy") else { continue };
        let image = container.view.get_str("image").unwrap_or_default();
        let (tag, digest) = tag_and_digest(image);
        let moving = digest.is_none() && tag.is_none_or(|tag| tag == "latest");
        let (message, help) = match policy.str() {
            Some("Never") if moving => {
                (format!("`Never` fails on every node that does not have `{image}` yet"), "use IfNotPresent")
            }
            Some("IfNotPresent") if moving => {
                (format!("`IfNotPresent` keeps whatever `{image}` a node has"), "name a version, or use Always")
            }
            _ => continue,
        };
        cx.report(policy, message).help = Some(help.to_owned());
    }
}
