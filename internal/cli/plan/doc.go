// Package plan owns the tracking plan as files: event types as YAML or JSON documents in
// a directory under version control. It reads them strictly, writes registered types so
// that reading them back changes nothing, and shows differences. cmd/theeye calls it;
// package eventtype owns the registry itself.
package plan
