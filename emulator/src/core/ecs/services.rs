//! CreateService, UpdateService, DeleteService.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    CODE,
    clusters::check_name,
    deployment::BackOff,
    service::{Life, Service, ServiceSettings, Shape},
    service_input::{self as read, UNSUPPORTED},
    tags,
};
use crate::core::{
    ApiError, Call, Cloud, Reply,
    error::{fault, invalid, limit},
    input::Input,
    time,
};

/// Of a cluster. Source: <https://docs.aws.amazon.com/general/latest/gr/ecs-service.html>
const SERVICES: usize = 5_000;
pub(super) const NO_NETWORK: &str =
    "Network Configuration must be provided when networkMode 'awsvpc' is specified.";
const NOT_IDEMPOTENT: &str = "Creation of service was not idempotent.";

impl Cloud {
    pub(super) fn create_service(
        &mut self,
        call: &Call,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let mut members = vec![
            "cluster",
            "serviceName",
            "taskDefinition",
            "availabilityZoneRebalancing",
            "loadBalancers",
            "desiredCount",
            "clientToken",
            "launchType",
            "platformVersion",
            "role",
            "deploymentConfiguration",
            "networkConfiguration",
            "healthCheckGracePeriodSeconds",
            "schedulingStrategy",
            "deploymentController",
            "tags",
            "enableECSManagedTags",
            "propagateTags",
            "enableExecuteCommand",
        ];
        members.extend(UNSUPPORTED);
        let input = Input::new(&call.input, CODE, &members)?;
        let cluster = self.cluster_of(&input)?;
        read::check_launch(&input)?;
        input.refuse(&UNSUPPORTED)?;
        input.refuse(&["role"])?;
        let name = input.need("serviceName")?;
        check_name(name, "Service name")?;
        let arn = self.ids.arn("ecs", &format!("service/{cluster}/{name}"));
        let request = request(&call.input);
        if let Some(reply) = self.replayed(&arn, &input, &request)? {
            return Ok(reply);
        }
        let service = self.new_service(arn.clone(), cluster, call, &input, now)?;
        self.ecs.services.insert(arn.clone(), service);
        let look = self.pace.after(now, time::SCHEDULE);
        self.wake_service(&arn, look);
        Ok(json!({ "service": self.service_view_of(&arn) }))
    }

    /// What a second CreateService of a name gets.
    fn replayed(
        &self,
        arn: &str,
        input: &Input<'_>,
        request: &Value,
    ) -> Result<Option<Reply>, ApiError> {
        check_token(input, 36)?;
        let token = input.text("clientToken")?;
        match self.ecs.services.get(arn) {
            Some(known) if known.life == Life::Draining => {
                Err(invalid("Unable to Start a service that is still Draining."))
            }
            Some(known) if known.is_active() => {
                let same =
                    token.is_some() && known.request == (token.map(str::to_owned), request.clone());
                if same {
                    Ok(Some(json!({ "service": self.service_view_of(arn) })))
                } else {
                    Err(invalid(NOT_IDEMPOTENT))
                }
            }
            Some(_) | None => Ok(None),
        }
    }

    fn new_service(
        &mut self,
        arn: String,
        cluster: String,
        call: &Call,
        input: &Input<'_>,
        now: Timestamp,
    ) -> Result<Service, ApiError> {
        let of_cluster = |service: &&Service| service.cluster == cluster;
        if self.ecs.services.values().filter(of_cluster).count() >= SERVICES {
            return Err(limit("The maximum number of services has been reached."));
        }
        read::check_scheduling(input)?;
        read::check_controller(input)?;
        if input.word("launchType", &["EC2", "FARGATE", "EXTERNAL"])? != Some("FARGATE") {
            return Err(invalid(
                "The emulator has no container instances: launchType must be FARGATE.",
            ));
        }
        let desired =
            read::desired_count(input)?.ok_or_else(|| invalid("DesiredCount is missing"))?;
        let definition = self
            .usable_definition(input.need("taskDefinition")?)?
            .arn
            .clone();
        let mut settings = ServiceSettings::standard().merged(input)?;
        if input.value("availabilityZoneRebalancing").is_none() && settings.maximum_percent <= 100 {
            "DISABLED".clone_into(&mut settings.rebalancing);
        }
        settings.check()?;
        let shape = Shape {
            definition,
            platform: platform(input)?.unwrap_or("LATEST").to_owned(),
            network: read::network(input)?.ok_or_else(|| invalid(NO_NETWORK))?,
            balancers: read::balancers(input)?.unwrap_or_default(),
        };
        self.check_shape(&shape)?;
        check_grace(input, &shape)?;
        let mut service = Service {
            arn,
            name: input.need("serviceName")?.to_owned(),
            cluster,
            life: Life::Active,
            created: now,
            created_by: self.ids.caller(&call.caller),
            tags: tags::read(input)?,
            desired,
            settings,
            deployments: Vec::new(),
            history: VecDeque::new(),
            revisions: VecDeque::new(),
            events: VecDeque::new(),
            request: (
                input.text("clientToken")?.map(str::to_owned),
                request(&call.input),
            ),
            back_off: BackOff::default(),
            steady: None,
            complaints: Vec::new(),
        };
        service.begin(&mut self.ids, shape, now, self.pace);
        if let Some(primary) = service.deployments.first_mut() {
            primary.desired = desired;
        }
        Ok(service)
    }

    pub(super) fn update_service(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let mut members = vec![
            "cluster",
            "service",
            "desiredCount",
            "taskDefinition",
            "deploymentConfiguration",
            "availabilityZoneRebalancing",
            "networkConfiguration",
            "platformVersion",
            "forceNewDeployment",
            "healthCheckGracePeriodSeconds",
            "deploymentController",
            "enableExecuteCommand",
            "enableECSManagedTags",
            "loadBalancers",
            "propagateTags",
        ];
        members.extend(UNSUPPORTED);
        let input = Input::new(input, CODE, &members)?;
        let cluster = self.cluster_of(&input)?;
        let service = self.service_of(&cluster, input.need("service")?)?;
        if !service.is_active() {
            return Err(fault(
                "ServiceNotActiveException",
                "Service was not ACTIVE.",
            ));
        }
        input.refuse(&UNSUPPORTED)?;
        read::check_controller(&input)?;
        let arn = service.arn.clone();
        let desired = read::desired_count(&input)?;
        let settings = service.settings.merged(&input)?;
        settings.check()?;
        let current = service.primary().map(|primary| primary.shape.clone());
        let current =
            current.ok_or_else(|| fault("ServiceNotActiveException", "Service was not ACTIVE."))?;
        let shape = self.updated_shape(&current, &input)?;
        check_grace(&input, &shape)?;
        let force = input.flag("forceNewDeployment")?.unwrap_or(false);

        // Nothing has been changed so far; from here on nothing can fail.
        if let Some(service) = self.ecs.services.get_mut(&arn) {
            service.settings = settings;
            if let Some(desired) = desired
                && desired != service.desired
            {
                service.desired = desired;
                service.steady = None;
            }
            if force || shape != current {
                service.begin(&mut self.ids, shape, now, self.pace);
            }
        }
        let look = self.pace.after(now, time::SCHEDULE);
        self.wake_service(&arn, look);
        Ok(json!({ "service": self.service_view_of(&arn) }))
    }

    /// The present shape with what the input says in its place.
    fn updated_shape(&self, current: &Shape, input: &Input<'_>) -> Result<Shape, ApiError> {
        let mut shape = current.clone();
        if let Some(reference) = input.text("taskDefinition")? {
            let named = self.find_definition(reference).map(|d| d.arn.clone());
            // A service may stay on a definition that has become inactive.
            if named.as_ref() != Some(&current.definition) {
                shape.definition = self.usable_definition(reference)?.arn.clone();
            }
        }
        if let Some(platform) = platform(input)? {
            platform.clone_into(&mut shape.platform);
        }
        if let Some(network) = read::network(input)? {
            shape.network = network;
        }
        if let Some(balancers) = read::balancers(input)? {
            shape.balancers = balancers;
        }
        if shape != *current {
            self.check_shape(&shape)?;
        }
        Ok(shape)
    }

    pub(super) fn delete_service(
        &mut self,
        input: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["cluster", "service", "force"])?;
        let cluster = self.cluster_of(&input)?;
        let name = input.need("service")?;
        let force = input.flag("force")?.unwrap_or(false);
        let service = self
            .service_of(&cluster, name)
            .map_err(|error| fault(error.code, ""))?;
        let arn = service.arn.clone();
        if service.is_active() && service.desired > 0 && !force {
            return Err(invalid(
                "The service cannot be stopped while it is scaled above 0.",
            ));
        }
        let pace = self.pace;
        if let Some(service) = self.ecs.services.get_mut(&arn).filter(|s| s.is_active()) {
            service.life = Life::Draining;
            service.desired = 0;
            if let Some(running) = service.running() {
                running.stop_for("The service was deleted.", now, pace);
            }
        }
        let look = self.pace.after(now, time::SCHEDULE);
        self.wake_service(&arn, look);
        Ok(json!({ "service": self.service_view_of(&arn).map(narrowed) }))
    }

    /// A service of the cluster by its name or ARN, whatever its state.
    ///
    /// # Errors
    /// `ServiceNotFoundException`.
    pub(super) fn service_of(&self, cluster: &str, reference: &str) -> Result<&Service, ApiError> {
        self.ecs
            .services
            .get(&self.service_arn(cluster, reference))
            .filter(|service| service.cluster == cluster)
            .ok_or_else(|| fault("ServiceNotFoundException", "Service not found."))
    }

    pub(super) fn service_arn(&self, cluster: &str, reference: &str) -> String {
        if reference.starts_with("arn:") {
            reference.to_owned()
        } else {
            self.ids
                .arn("ecs", &format!("service/{cluster}/{reference}"))
        }
    }
}

/// DeleteService has been observed to show less of the deployment configuration than the other calls.
fn narrowed(mut service: Value) -> Value {
    if let Some(Value::Object(map)) = service.get_mut("deploymentConfiguration") {
        map.shift_remove("bakeTimeInMinutes");
        if let Some(Value::Object(breaker)) = map.get_mut("deploymentCircuitBreaker") {
            breaker.shift_remove("resetOnHealthyTask");
            breaker.shift_remove("thresholdConfiguration");
        }
    }
    service
}

/// What must be equal for a replay: everything but the tags.
fn request(input: &Value) -> Value {
    let mut request = input.clone();
    if let Some(map) = request.as_object_mut() {
        map.shift_remove("tags");
    }
    request
}

/// A `clientToken`: visible ASCII. Source:
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html>
pub(super) fn check_token(input: &Input<'_>, longest: usize) -> Result<(), ApiError> {
    let token = input.text("clientToken")?.unwrap_or_default();
    if token.len() > longest || !token.bytes().all(|byte| (33..=126).contains(&byte)) {
        return Err(invalid(format!(
            "clientToken can have up to {longest} characters in the range of 33-126."
        )));
    }
    Ok(())
}

pub(super) fn platform<'a>(input: &Input<'a>) -> Result<Option<&'a str>, ApiError> {
    let platform = input.text("platformVersion")?;
    if platform.is_some_and(|platform| !["LATEST", "1.4.0"].contains(&platform)) {
        return Err(fault(
            "PlatformUnknownException",
            "The specified platform does not exist.",
        ));
    }
    Ok(platform)
}

fn check_grace(input: &Input<'_>, shape: &Shape) -> Result<(), ApiError> {
    let given = input.int("healthCheckGracePeriodSeconds")?;
    if given.is_some_and(|grace| grace > 0) && shape.balancers.is_empty() {
        return Err(invalid(
            "Health check grace period is only valid for services configured to use load balancers",
        ));
    }
    Ok(())
}
