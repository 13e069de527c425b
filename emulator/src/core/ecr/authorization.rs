//! GetAuthorizationToken: what `aws ecr get-login-password` prints. Nothing here asks for it again.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::CODE;
use crate::core::{
    ApiError, Cloud, Reply,
    error::invalid,
    input::Input,
    time::{later, seconds},
};

/// Source: <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html>
const LIFE: Duration = Duration::from_secs(12 * 3600);

impl Cloud {
    pub(super) fn authorization_token(
        &self,
        request: &Value,
        now: Timestamp,
    ) -> Result<Reply, ApiError> {
        let input = Input::new(request, CODE, &["registryIds"])?;
        let registries = input.texts("registryIds")?;
        if let Some(other) = registries.iter().find(|id| **id != self.ids.account) {
            return Err(invalid(format!("The emulator has no registry {other}.")));
        }
        let expires = later(now, LIFE);
        let password = Sha256::digest(format!("{} until {expires}", self.registry()));
        let token = BASE64_STANDARD.encode(format!("AWS:{}", hex::encode(password)));
        Ok(json!({ "authorizationData": [{
            "authorizationToken": token,
            "expiresAt": seconds(expires),
            "proxyEndpoint": format!("https://{}", self.registry()),
        }] }))
    }
}
