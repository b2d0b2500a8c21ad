package client

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
)

// The files of a segment: the events, and how many of them have a verdict.
const (
	eventsKind = "events"
	doneKind   = "done"
)

const (
	// segmentHead begins a file of events, and names the version of its form.
	segmentHead = "eyespool1\n"
	// frameHead is the length of an event and the checksum of both, in four bytes each.
	frameHead = 8
	// noteSize is the size of a note: an offset in eight bytes and its checksum in four.
	noteSize = 12
	// maxFrame is far above any event. A longer one is damage.
	maxFrame = 64 << 20
)

// segment is a file of events, each in a frame with a checksum, and beside it a file that notes
// up to where they have a verdict.
type segment struct {
	path string // without the kind
	size int64  // up to the end of the last frame
	done int64  // up to here, all events have a verdict
	// events and bytes are those that have none yet.
	events int
	bytes  int64

	file  *os.File // opened when it is needed
	notes *os.File
	place int64 // where the next note is written
}

// frame is an event in a segment, and where it ends.
type frame struct {
	event []byte
	end   int64
}

// createSegment begins an empty segment.
func createSegment(path string) (*segment, error) {
	file, err := os.OpenFile(path+"."+eventsKind, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode) //nolint:gosec // the caller's own directory
	if err != nil {
		return nil, err
	}

	s := &segment{path: path, file: file, size: int64(len(segmentHead)), done: int64(len(segmentHead))}
	if _, err := file.WriteString(segmentHead); err != nil {
		return nil, errors.Join(err, s.remove())
	}

	return s, nil
}

// append writes an event. If it fails, what was written of it is cut off, or overwritten
// by the next one.
func (s *segment) append(event []byte) error {
	text := make([]byte, frameHead, frameHead+len(event))
	binary.LittleEndian.PutUint32(text, uint32(len(event))) //nolint:gosec // below MaxEventBytes
	text = append(text, event...)
	binary.LittleEndian.PutUint32(text[4:], checksumOf(text))
	if _, err := s.file.WriteAt(text, s.size); err != nil {
		return errors.Join(err, s.file.Truncate(s.size))
	}

	s.size += int64(len(text))
	s.events++
	s.bytes += int64(len(event))
	return nil
}

// checksumOf returns the checksum of a frame: of the length and the event, without itself.
func checksumOf(text []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(text[:4], table), table, text[frameHead:])
}

// open opens the file of events if it is not open.
func (s *segment) open() error {
	if s.file != nil {
		return nil
	}

	file, err := os.OpenFile(s.path+"."+eventsKind, os.O_RDWR, 0)
	if err != nil {
		return err
	}

	s.file = file
	return nil
}

// close closes the files. Errors do not matter: everything was written or is only read.
func (s *segment) close() {
	for _, file := range []*os.File{s.file, s.notes} {
		if file != nil {
			_ = file.Close()
		}
	}

	s.file = nil
	s.notes = nil
}

// remove deletes the segment: first the events, because notes without events do no harm.
func (s *segment) remove() error {
	s.close()
	var failed error
	for _, kind := range []string{eventsKind, doneKind} {
		if err := os.Remove(s.path + "." + kind); !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}

	return failed
}

// noteDone writes up to where the events have a verdict. The file has two places, which are
// written in turn: a note that a crash tears leaves the one before.
func (s *segment) noteDone() error {
	if s.notes == nil {
		notes, err := os.OpenFile(s.path+"."+doneKind, os.O_RDWR|os.O_CREATE, fileMode)
		if err != nil {
			return err
		}

		s.notes = notes
	}

	note := binary.LittleEndian.AppendUint64(nil, uint64(s.done)) //nolint:gosec // an offset
	note = binary.LittleEndian.AppendUint32(note, crc32.Checksum(note, crc32.MakeTable(crc32.Castagnoli)))
	place := s.place
	s.place = 1 - place
	_, err := s.notes.WriteAt(note, place*noteSize)
	return err
}

// readNotes finds up to where the events have a verdict.
func (s *segment) readNotes() error {
	notes, err := os.ReadFile(s.path + "." + doneKind)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}

	for place := range int64(2) {
		if int64(len(notes)) < (place+1)*noteSize {
			break
		}

		note := notes[place*noteSize : (place+1)*noteSize]
		done := int64(binary.LittleEndian.Uint64(note)) //nolint:gosec // an offset
		whole := binary.LittleEndian.Uint32(note[8:]) == crc32.Checksum(note[:8], crc32.MakeTable(crc32.Castagnoli))
		if whole && done > s.done {
			s.done = done
			s.place = 1 - place
		}
	}

	return nil
}
