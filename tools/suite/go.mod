// This module holds the version of the JSON-Schema-Test-Suite that internal/eventtype is
// held against: CUE carries the whole of it. None of its code is built, so that go mod tidy would
// take it out.
module github.com/the-eye-events/the-eye/tools/suite

go 1.26.0

require cuelang.org/go v0.17.1
