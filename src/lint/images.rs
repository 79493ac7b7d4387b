//! Rules on images.

use super::Cx;
use crate::model::image::Image;
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
            (Some(tag), None) if cx.params.has_like("tags", tag) => format!("`{text}` names the moving tag `{tag}`"),
            _ => continue,
        };
        cx.report(image, message).help = Some("name a version or a digest".to_owned());
    }
}

/// A moving tag that is not pulled again, or `Never`, which fails where the image is absent.
pub(super) fn image_pull_policy(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    let tags = cx.all_params.of("image-tag-mutable");
    for container in template.containers().filter(|container| container.role != ContainerRole::Ephemeral) {
        let Some(policy) = container.view.get("imagePullPolicy") else { continue };
        let image = container.view.get_str("image").unwrap_or_default();
        let (tag, digest) = tag_and_digest(image);
        let moving = digest.is_none() && tag.is_none_or(|tag| tags.has_like("tags", tag));
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

/// What no image can be called: the pod is taken, and its node refuses it (InvalidImageName).
pub(super) fn image_ref_invalid(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in template.containers() {
        let Some(image) = container.view.get("image") else { continue };
        let text = image.str().unwrap_or_default();
        // Text that a template engine fills in is no name yet.
        if text.is_empty() || text.contains("{{") || text.contains("${") || text.contains("$(") {
            continue;
        }
        if let Err(why) = Image::parse(text) {
            let message = format!("`{text}` is no name of an image: {why}");
            cx.report(image, message).help = Some("write it as registry/path/name:tag, in lower case".to_owned());
        }
    }
}

pub(super) fn image_registry_retired(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for image in template.containers().filter_map(|container| container.view.get("image")).collect::<Vec<_>>() {
        let text = image.str().unwrap_or_default();
        let mut retired = cx.params.entries("registries");
        let found = retired.find(|(old, _)| text.strip_prefix(old).is_some_and(|rest| rest.starts_with('/')));
        if let Some((old, new)) = found {
            let message = format!("`{old}` is frozen and being switched off");
            cx.report(image, message).help = Some(format!("take the image from {new}"));
        }
    }
}

pub(super) fn image_not_digest(cx: &mut Cx<'_>) {
    let Some(template) = cx.template() else { return };
    for container in template.containers().filter(|container| container.role != ContainerRole::Ephemeral) {
        let Some(image) = container.view.get("image") else { continue };
        let text = image.str().unwrap_or_default();
        if !text.is_empty() && tag_and_digest(text).1.is_none() && !cx.params.has_like("except", text) {
            let message = format!("`{text}` may name another image tomorrow: it has no digest");
            cx.report(image, message).help = Some("add the digest: name:tag@sha256:…".to_owned());
        }
    }
}
