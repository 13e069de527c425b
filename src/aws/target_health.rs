//! The health of a service's targets, and whose they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    net::Ipv4Addr,
};

use serde_json::Value;

use crate::{
    aws::{Aws, AwsError, Bucket, Operation, rotation::Kept},
    document::{self, Document},
    manifest::Manifest,
    observed::{LiveService, Targets},
};

/// What looks keep of a service's targets.
#[derive(Debug, Default)]
pub(super) struct KeptTargets {
    /// The target groups that were asked, and what they said.
    found: Kept<(Vec<String>, Option<Targets>)>,
    /// Targets that were no tasks of the service at the last look; those of a task that is leaving are so for a moment.
    strangers: BTreeSet<String>,
}

enum Asks {
    Now,
    InTurn,
    Not,
}

impl Aws {
    /// The targets of the manifest's target group; of the one with the fewest healthy targets when it has several.
    /// `None` without a load balancer, and where the first turn has not come yet.
    pub(super) async fn targets(
        &self,
        manifest: &Manifest,
        service: Option<&LiveService>,
        hurries: bool,
        kept: &mut KeptTargets,
    ) -> Result<Option<Targets>, AwsError> {
        let groups = manifest.target_groups.clone();
        if groups.is_empty() {
            return Ok(None);
        }
        let turn = self.rotation.targets;
        let known = kept.found.value().filter(|(of, _)| *of == groups);
        let known = known.map(|(_, targets)| targets.clone());
        let is_turn = kept.found.is_due(turn);
        // What an edit begins with is not judged by its health.
        let asks = match (service, &known) {
            (Some(_), Some(_)) if hurries => Asks::Not,
            (Some(service), Some(Some(known))) if is_below(manifest, service, known) => Asks::Now,
            (None, _) => Asks::Now,
            (Some(_), _) if turn.is_zero() => Asks::Now,
            // Of a rollout, tasks tell as well.
            (Some(service), _) if is_turn || !service.is_settled() => Asks::InTurn,
            (Some(_), _) => Asks::Not,
        };
        let payer = match asks {
            Asks::Now => Some(self.clone()),
            Asks::InTurn => self.in_turn(Bucket::LoadBalancing).await,
            Asks::Not => None,
        };
        let Some(payer) = payer else {
            return Ok(known.flatten());
        };
        let strangers = &mut kept.strangers;
        let found = self
            .ask_targets(&payer, manifest, service, &groups, strangers)
            .await?;
        kept.found.keep((groups, found.clone()), turn);
        Ok(found)
    }

    /// `payer` asks for the first group.
    async fn ask_targets(
        &self,
        payer: &Self,
        manifest: &Manifest,
        service: Option<&LiveService>,
        groups: &[String],
        strangers: &mut BTreeSet<String>,
    ) -> Result<Option<Targets>, AwsError> {
        let before = mem::take(strangers);
        let mut worst: Option<Targets> = None;
        for (number, group) in groups.iter().enumerate() {
            let aws = if number == 0 { payer } else { self };
            let mut states = aws.target_states(group).await?;
            let total = u32::try_from(states.len()).unwrap_or(u32::MAX);
            let mut foreign = Vec::new();
            // Listing tasks costs two calls, so it is done only when there are more targets than tasks.
            if let Some(service) = service
                && service.is_settled()
                && total > service.running_count()
                && let Some(addresses) = self.task_addresses(manifest).await?
            {
                states.retain(|target, _| {
                    let is_ours = is_of(&addresses, target);
                    if !is_ours {
                        strangers.insert(target.clone());
                        foreign.extend(before.contains(target).then(|| target.clone()));
                    }
                    is_ours
                });
            }
            let found = Targets {
                healthy: count(states.values().filter(|state| *state == "healthy")),
                total: count(states.values()),
                foreign,
            };
            worst = Some(match worst {
                Some(worst) => worse(worst, found),
                None => found,
            });
        }
        Ok(worst)
    }

    /// Every registered target, `ADDRESS:PORT`, and its state; those that are leaving or get no requests left out.
    async fn target_states(&self, group: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let request = self
            .clients
            .elbv2
            .describe_target_health()
            .target_group_arn(group);
        let answer = self
            .call(Operation::DESCRIBE_TARGET_HEALTH, request.send())
            .await?;
        let mut states = BTreeMap::new();
        for described in answer.target_health_descriptions() {
            let (Some(target), Some(state)) = (
                described.target(),
                described.target_health().and_then(|health| health.state()),
            ) else {
                continue;
            };
            if !matches!(state.as_str(), "draining" | "unused") {
                let address = target.id().unwrap_or_default();
                let port = target.port().unwrap_or_default();
                states.insert(format!("{address}:{port}"), state.as_str().to_owned());
            }
        }
        Ok(states)
    }

    /// The addresses of the service's tasks; `None` when not all are told, so that nothing can be said: the target of a
    /// task that is not told of would be a stranger.
    async fn task_addresses(
        &self,
        manifest: &Manifest,
    ) -> Result<Option<BTreeSet<String>>, AwsError> {
        let tasks = self
            .tasks(&manifest.cluster, &manifest.name, "RUNNING")
            .await?;
        let told = || tasks.found.iter().flat_map(addresses).collect();
        Ok(tasks.is_complete.then(told))
    }
}

/// Whether fewer are healthy than the manifest wants.
fn is_below(manifest: &Manifest, service: &LiveService, known: &Targets) -> bool {
    let wanted = manifest.target_health.as_ref();
    wanted.is_some_and(|wanted| known.healthy < wanted.minimum_healthy.min(service.desired_count()))
}

/// Whether a target, `ADDRESS:PORT`, may be one of the tasks with these addresses. Instances, and what has an address of
/// IPv6, are not told apart.
fn is_of(addresses: &BTreeSet<String>, target: &str) -> bool {
    let (address, _) = target.rsplit_once(':').unwrap_or((target, ""));
    address.parse::<Ipv4Addr>().is_err() || addresses.contains(address)
}

fn addresses(task: &Document) -> impl Iterator<Item = String> {
    document::objects(task, "attachments")
        .flat_map(|attachment| document::objects(attachment, "details"))
        .filter(|detail| document::text(detail, "name") == "privateIPv4Address")
        .filter_map(|detail| detail.get("value").and_then(Value::as_str))
        .map(str::to_owned)
}

fn worse(one: Targets, other: Targets) -> Targets {
    let mut foreign = one.foreign.clone();
    foreign.extend(other.foreign.clone());
    let worse = if other.healthy < one.healthy {
        other
    } else {
        one
    };
    Targets { foreign, ..worse }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_no_task_are_strangers() {
        let tasks = BTreeSet::from(["10.0.1.5".to_owned()]);
        for (target, is_ours) in [
            ("10.0.1.5:80", true),
            ("10.0.1.6:80", false),
            ("i-0123456789abcdef0:32768", true),
            ("2001:db8::5:80", true),
        ] {
            assert_eq!(is_of(&tasks, target), is_ours, "{target}");
        }
    }
}
