//! The pairs of documents.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use evenkeel::{
    desired::{Desired, Settings},
    document::Document,
    manifest::{self, Options, References},
    normal::Form,
    observed::{Image, LiveService, LogGroup, Observed, Revision},
};
use serde_json::{Value, json};

use super::changes::{Change, Side};

/// The digest that the tags of all manifests mean.
const DIGEST: &str = "sha256:9f2c4b6d8e0a1c3e5f7092b4d6f8a0c2e4f60718293a4b5c6d7e8f9012345678";

/// A manifest, and what AWS returns for it.
pub struct Pair {
    /// The files' name.
    pub name: String,
    /// What the manifest asks for.
    pub desired: Desired,
    /// As DescribeServices returns it, with our tags.
    pub service: Document,
    /// As DescribeTaskDefinition returns it.
    pub definition: Document,
    image: Image,
}

/// Two documents to read are enough to see what a random one is about.
impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Desired {
            service,
            definition,
            ..
        } = &self.desired;
        let manifest = json!({"service": service, "taskDefinition": definition});
        let live = json!({"service": self.service, "taskDefinition": self.definition});
        write!(
            f,
            "{}: {manifest:#}\nas AWS returns it: {live:#}",
            self.name
        )
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents/pairs")
}

impl Pair {
    /// Every pair, by name.
    pub fn all() -> Vec<Self> {
        let mut names: Vec<_> = fs::read_dir(directory())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "yaml")
            })
            .collect();
        names.sort();
        names.iter().map(|path| Self::read(path)).collect()
    }

    /// Any documents, under the smallest manifest.
    pub fn of(
        service: Document,
        definition: Document,
        desired_count: Option<u32>,
        live_service: Document,
        live_definition: Document,
    ) -> Self {
        let mut pair = Self::read(&directory().join("fargate-minimal.yaml"));
        let manifest = Arc::make_mut(&mut pair.desired.manifest);
        manifest.desired_count = desired_count;
        pair.name = "at random".to_owned();
        pair.desired.service = service;
        pair.desired.definition = Some(definition);
        let tags = pair.service.remove("tags").unwrap();
        pair.service = live_service;
        pair.service.insert("tags".to_owned(), tags);
        pair.definition = live_definition;
        pair
    }

    fn read(path: &Path) -> Self {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let references = References::new(Some("{}"), []).unwrap();
        let text = fs::read_to_string(path).unwrap();
        let is_source = |line: &str| line.starts_with("# https://docs.aws.amazon.com/");
        assert!(
            text.lines().any(is_source),
            "{name}: say where AWS writes of it"
        );
        let (mut manifests, problems) =
            manifest::parse_file(&name, &text, &references, Options::default());
        assert!(
            problems.iter().all(|problem| !problem.is_error()),
            "{name}: {problems:?}"
        );
        let manifest = Arc::new(manifests.remove(0));
        let image = match &manifest.image {
            Some(image) => Image::Resolved {
                reference: format!("{}@{DIGEST}", image.repository),
                digest: Some(DIGEST.to_owned()),
            },
            None => Image::NotUsed,
        };
        let settings = Settings {
            owner: "evenkeel".to_owned(),
            form: Form::current(),
        };
        let desired = Desired::new(manifest, &settings, &image);

        let live = fs::read_to_string(path.with_extension("json")).unwrap();
        let mut live: Value = serde_json::from_str(&live).unwrap();
        let mut document = |name: &str| live[name].take().as_object().unwrap().clone();
        let (mut service, definition) = (document("service"), document("taskDefinition"));
        // The labels stand in the file; the digests of manifests do not.
        let tags = service["tags"].as_array_mut().unwrap();
        let ours = desired.service_tags().into_iter();
        tags.extend(
            ours.filter(|(key, _)| key.starts_with("evenkeel:"))
                .map(|(key, value)| json!({"key": key, "value": value})),
        );
        Self {
            name,
            desired,
            service,
            definition,
            image,
        }
    }

    /// What a look at AWS gives.
    pub fn observed(&self) -> Observed {
        Observed {
            service: Some(LiveService(self.service.clone())),
            definition: Some(Revision {
                document: self.definition.clone(),
                tags: self.desired.definition_tags(),
            }),
            revisions: Vec::new(),
            history: Vec::new(),
            log_group: LogGroup::NotDeclared,
            image: self.image.clone(),
            targets: None,
            progress: None,
            unhealthy_since: None,
            rival: None,
            aws_time: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    /// Both sides, one of them changed. Where that is the service, the definition is left out, to be quick: that it does
    /// not differ is shown by the whole pair.
    pub fn with(&self, side: Side, change: &Change) -> (Desired, Observed) {
        let (mut desired, mut observed) = (self.desired.clone(), self.observed());
        let document = change.document.clone();
        if change.root == "service" {
            observed.definition = None;
        }
        match (side, change.root) {
            (Side::Manifest, "service") => desired.service = document,
            (Side::Manifest, _) => desired.definition = Some(document),
            (Side::Live, "service") => observed.service = Some(LiveService(document)),
            (Side::Live, _) => observed.definition.as_mut().unwrap().document = document,
        }
        (desired, observed)
    }
}
