//! The log of who asked for shares.

use crate::Release;
use serde::Serialize;
use utoipa::ToSchema;

/// Like questions of one member within a minute.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Release)]
pub(crate) struct ReleaseDto {
    /// When the first one came, milliseconds since 1970.
    pub(crate) first_ms: u64,
    /// When the last one came, milliseconds since 1970.
    pub(crate) last_ms: u64,
    /// Which member asked; this node's own, when it opened blocks itself.
    pub(crate) member: u16,
    /// For what, by its own word: `read`, `repair`, `sync` or `reseal`.
    #[schema(example = "read")]
    pub(crate) purpose: &'static str,
    /// Whose wish it showed, if any.
    pub(crate) principal: Option<u32>,
    /// Whether it got them.
    pub(crate) allowed: bool,
    /// The lowest height.
    pub(crate) lowest: u64,
    /// The highest height.
    pub(crate) highest: u64,
    /// How many questions.
    pub(crate) count: u64,
}

/// Who asked for shares.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Releases)]
pub(crate) struct ReleasesDto {
    /// Newest first.
    pub(crate) releases: Vec<ReleaseDto>,
}

impl From<&Release> for ReleaseDto {
    fn from(release: &Release) -> Self {
        Self {
            first_ms: release.first.get(),
            last_ms: release.last.get(),
            member: release.member.get(),
            purpose: release.purpose.name(),
            principal: release.principal.map(|principal| principal.get()),
            allowed: release.allowed,
            lowest: release.lowest.get(),
            highest: release.highest.get(),
            count: release.count,
        }
    }
}
