package client

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// errNoSegment says that a file was not written by a spool.
var errNoSegment = errors.New("it does not begin like a file of a spool, and is left alone")

// readSegment opens what an earlier process left, and counts the events without a verdict.
// damage says what of it cannot be read.
func readSegment(path string) (s *segment, damage string, err error) {
	s = &segment{path: path, done: int64(len(segmentHead))}
	if err := s.open(); err != nil {
		return nil, "", err
	}

	defer s.close()

	info, err := s.file.Stat()
	if err != nil {
		return nil, "", err
	}

	s.size = info.Size()
	if s.size < int64(len(segmentHead)) {
		return s, "", nil // it was being made
	}

	head := make([]byte, len(segmentHead))
	if _, err := s.file.ReadAt(head, 0); err != nil {
		return nil, "", err
	}

	if string(head) != segmentHead {
		return nil, "", errNoSegment
	}

	if err := s.readNotes(); err != nil {
		return nil, "", err
	}

	damage, err = s.countEvents()
	return s, damage, err
}

// countEvents counts the events without a verdict, and finds where the readable ones end.
func (s *segment) countEvents() (damage string, err error) {
	frames := s.readFrames(s.size)
	for {
		event, err := frames.next()
		switch {
		case errors.Is(err, io.EOF):
			cut := s.size - frames.at
			s.size = frames.at
			if frames.damaged > 0 || cut > 0 {
				damage = fmt.Sprintf("%d events, and %d bytes at its end, cannot be read", frames.damaged, cut)
			}

			return damage, nil
		case err != nil:
			return "", err
		}

		s.events++
		s.bytes += int64(len(event))
	}
}

// read reads the oldest events without a verdict.
func (s *segment) read(end int64, maxEvents int, maxBytes int64) (batch []frame, err error) {
	if err := s.open(); err != nil {
		return nil, err
	}

	frames := s.readFrames(end)
	bytes := int64(0)
	for len(batch) < maxEvents {
		event, err := frames.next()
		if errors.Is(err, io.EOF) {
			break
		}

		if err != nil {
			return nil, err
		}

		bytes += int64(len(event))
		if len(batch) > 0 && bytes > maxBytes {
			break
		}

		batch = append(batch, frame{event: event, end: frames.at})
	}

	return batch, nil
}

// frameReader reads the frames of a segment one after the other.
type frameReader struct {
	from *bufio.Reader
	// at is where the next frame begins, end where the last one ends.
	at, end int64
	// damaged counts the frames that were left out because of their checksum.
	damaged int
}

// readFrames begins to read behind the events that have a verdict.
func (s *segment) readFrames(end int64) *frameReader {
	const atOnce = 64 << 10
	section := io.NewSectionReader(s.file, s.done, max(0, end-s.done))
	return &frameReader{from: bufio.NewReaderSize(section, atOnce), at: s.done, end: max(s.done, end)}
}

// next returns the next event. It leaves out frames whose checksum is wrong, and returns io.EOF
// at the end, or where a length cannot be right or the file is shorter than it was: no frame
// behind that place can be found.
func (r *frameReader) next() ([]byte, error) {
	for {
		if r.end-r.at < frameHead {
			return nil, io.EOF
		}

		head, err := r.from.Peek(frameHead)
		if err != nil {
			return nil, err // which is io.EOF too if there are some of its bytes
		}

		size := frameHead + int64(binary.LittleEndian.Uint32(head))
		if size == frameHead || size > maxFrame || r.at+size > r.end {
			return nil, io.EOF
		}

		text := make([]byte, size)
		_, err = io.ReadFull(r.from, text)
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, io.EOF
		case err != nil:
			return nil, err
		}

		r.at += size
		if binary.LittleEndian.Uint32(text[4:]) == checksumOf(text) {
			return text[frameHead:], nil
		}

		r.damaged++
	}
}
