// Package telemetry builds what the service tells about itself: its log, its traces
// and its metrics. It is built once at the start and handed to those who need it;
// nothing here is global.
//
// The log's promise: one entry is one line, whatever the fields hold, so that nobody
// who sends us text can forge an entry or drive the terminal of the person who reads
// it. The promise of traces and metrics: whoever they are sent to can be slow or dead,
// and no request is slower for it. What cannot be sent is dropped and counted.
package telemetry
