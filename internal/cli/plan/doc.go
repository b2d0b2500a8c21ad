// Package plan owns the tracking plan as files: event types as YAML or JSON documents in
// a directory, which are kept in git. It reads them strictly, writes registered types so
// that reading them back changes nothing, and shows what differs. cmd/theeye
// calls it; the registry itself is package eventtype's.
package plan
