//! What a person wrote: manifests, parsed with positions and checked as far as a file alone can be.
