// Package telemetry builds what the service tells about itself. It is built once
// at the start and handed to those who need it; nothing here is global.
//
// For now that is the log. Its promise: one entry is one line, whatever the
// fields hold, so that nobody who sends us text can forge an entry or drive the
// terminal of the person who reads it.
package telemetry
