//! Every kind of mistake, with its place and its picture.
