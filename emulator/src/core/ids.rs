//! Names that AWS makes up: ARNs and random identifiers, all from one seed.

/// The maker of names.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    random: fastrand::Rng,
    pub(crate) account: String,
    pub(crate) region: String,
}

impl Ids {
    pub(crate) fn new(seed: u64, account: &str, region: &str) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            account: account.to_owned(),
            region: region.to_owned(),
        }
    }

    /// `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`.
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!(
            "arn:aws:{service}:{}:{}:{resource}",
            self.region, self.account
        )
    }

    /// Whom a call is attributed to.
    pub(crate) fn caller(&self, access_key: &str) -> String {
        let user = if access_key.is_empty() {
            "anonymous"
        } else {
            access_key
        };
        format!("arn:aws:iam::{}:user/{user}", self.account)
    }

    /// Lower-case hexadecimal digits.
    pub(crate) fn hex(&mut self, length: usize) -> String {
        self.letters(b"0123456789abcdef", length)
    }

    /// The nineteen digits of a deployment; they may begin with zeros.
    pub(crate) fn digits(&mut self) -> String {
        self.letters(b"0123456789", 19)
    }

    /// The url-safe token of a service deployment.
    pub(crate) fn token(&mut self) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
        self.letters(LETTERS, 21)
    }

    /// A version 4 UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let bytes = self.random.u128(..).to_be_bytes();
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string()
    }

    /// AWS returns some lists in no order at all; so do we.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        self.random.shuffle(list);
    }

    fn letters(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length)
            .filter_map(|_| {
                let at = self.random.usize(..alphabet.len());
                alphabet.get(at).map(|byte| char::from(*byte))
            })
            .collect()
    }
}
