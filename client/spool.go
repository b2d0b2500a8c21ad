package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const (
	// segmentBytes is the size past which a file of the spool is not continued. With a smaller
	// spool it is an eighth of it.
	segmentBytes = 4 << 20
	spoolShare   = 8
	fileMode     = 0o600
)

// errNotSynced says that an event was written and may not be on the disk.
var errNotSynced = errors.New("the disk may not have the event, which may nevertheless be sent")

// spool is a queue on disk: a directory of segments, which hold the events in their order.
// Events are written to the newest and sent from the oldest. A segment is deleted when all of
// its events have a verdict. Every spool begins a segment of its own: those of an earlier
// process are only read, so that a torn end is never written behind.
type spool struct {
	dir       string
	bounds    bounds
	sync      bool
	segmentOf int64
	tellError func(error)
	// syncDir waits until the disk has the names in a directory, if the spool promises that.
	syncDir func(dir string) error
	lock    *os.File

	mu       sync.Mutex
	segments []*segment // the oldest first
	active   *segment   // the newest, if it can be continued
	last     int64      // the number of the newest segment
	events   int
	bytes    int64
	written  int64 // events that were pushed
	left     int64 // events that were sent or given up

	// unsynced is set when a wait for the disk failed. Of the events up to this one, those whose
	// callers still wait may not be on the disk.
	unsynced int64

	// syncing is held by the one caller whose fsync serves all that were written before: as
	// many as synced says are on the disk.
	syncing sync.Mutex
	synced  int64

	// peeked are the frames of the last peek, in the oldest segment. The sender alone uses it.
	peeked []frame
}

// openSpool locks the directory of a spool, and finds the events in it. What is wrong with the
// files is reported and does not keep the rest from being sent.
func openSpool(dir string, limits bounds, sync bool, tellError func(error)) (*spool, error) {
	toDisk := syncDir
	if !sync {
		toDisk = func(string) error { return nil }
	}

	if err := makeDir(dir, toDisk); err != nil {
		return nil, err
	}

	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("client: lock the spool %s: %w", dir, err)
	}

	s := &spool{
		dir: dir, bounds: limits, sync: sync, tellError: tellError, syncDir: toDisk, lock: lock,
		segmentOf: min(segmentBytes, limits.bytes/spoolShare),
	}
	if err := s.findSegments(); err != nil {
		return nil, errors.Join(fmt.Errorf("client: read the spool: %w", err), lock.Close())
	}

	return s, nil
}

// findSegments reads the files that earlier processes left.
func (s *spool) findSegments() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}

	for _, entry := range entries { // in the order of their names
		name, kind, _ := strings.Cut(entry.Name(), ".")
		number, err := strconv.ParseInt(name, 10, 64)
		if err != nil || (kind != eventsKind && kind != doneKind) {
			continue
		}

		s.last = max(s.last, number)
		path := filepath.Join(s.dir, name)
		switch {
		case kind == eventsKind:
			err = s.addFound(path)
		case !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == name+"."+eventsKind }):
			err = os.Remove(path + "." + doneKind)
		}

		if err != nil {
			return err
		}
	}

	return nil
}

// addFound adds a segment of an earlier process, or deletes it if all of its events have a
// verdict.
func (s *spool) addFound(path string) error {
	found, damage, err := readSegment(path)
	switch {
	case errors.Is(err, errNoSegment):
		s.tellError(fmt.Errorf("client: %w: %s: %w", ErrSpoolDamaged, path, err))
		return nil
	case err != nil:
		return err
	case damage != "":
		s.tellError(fmt.Errorf("client: %w: %s: %s", ErrSpoolDamaged, path, damage))
	}

	if found.events == 0 {
		return found.remove()
	}

	s.segments = append(s.segments, found)
	s.events += found.events
	s.bytes += found.bytes
	return nil
}

// push writes an event behind the others and, if the spool promises that, waits for the disk.
func (s *spool) push(event []byte) (events int, bytes int64, err error) {
	s.mu.Lock()
	err = s.write(event)
	position := s.written
	events, bytes = s.events, s.bytes
	s.mu.Unlock()
	if err == nil && s.sync {
		err = s.syncTo(position)
	}

	return events, bytes, err
}

func (s *spool) write(event []byte) error {
	if s.bounds.exceeds(s.events, s.bytes, int64(len(event))) {
		return ErrFull
	}

	if s.active == nil || s.active.size >= s.segmentOf {
		if err := s.beginSegment(); err != nil {
			return fmt.Errorf("write to the spool: %w", err)
		}
	}

	if err := s.active.append(event); err != nil {
		return fmt.Errorf("write to the spool: %w", err)
	}

	s.events++
	s.bytes += int64(len(event))
	s.written++
	return nil
}

// beginSegment ends the active segment and begins another. Its number is higher than any
// before, in this process or an earlier one, so that no note of a deleted segment, which a
// crash of the system may bring back, is ever taken for one of it.
func (s *spool) beginSegment() error {
	s.last = max(s.last+1, now().UnixMicro())
	begun, err := createSegment(filepath.Join(s.dir, fmt.Sprintf("%020d", s.last)))
	if err != nil {
		return err
	}

	if s.sync {
		if err := errors.Join(s.syncDir(s.dir), s.syncActive()); err != nil {
			return errors.Join(err, begun.remove())
		}
	}

	s.endActive()
	s.active = begun
	s.segments = append(s.segments, begun)
	return nil
}

// endActive sees that the active segment is not continued. The sender may be reading the
// oldest; the file of any other is closed until its turn comes.
func (s *spool) endActive() {
	if s.active != nil && s.active != s.segments[0] {
		s.active.close()
	}

	s.active = nil
}

// syncActive waits until the disk has the active segment.
func (s *spool) syncActive() error {
	if s.active == nil {
		return nil
	}

	err := s.active.file.Sync()
	if err != nil {
		s.doubtDisk()
	}

	return err
}

// doubtDisk notes that a wait for the disk failed. What the system could not write it forgets, so
// that a second attempt would seem to succeed. So the segment is not continued, and callers that
// still wait for an event in it get an error.
func (s *spool) doubtDisk() {
	s.unsynced = s.written
	s.endActive()
}

// syncTo waits until the disk has the first events that were written, as many as position says.
// Of the callers that wait at the same time one waits for the disk, for all of them.
func (s *spool) syncTo(position int64) error {
	s.syncing.Lock()
	defer s.syncing.Unlock()

	s.mu.Lock()
	written, doubtful := s.written, position <= s.unsynced
	var file *os.File
	if s.active != nil { // otherwise all events have a verdict
		file = s.active.file
	}

	s.mu.Unlock()

	switch {
	case doubtful: // also if later events, in another file, are on the disk
		return errNotSynced
	case position <= s.synced || file == nil:
		return nil
	}

	err := file.Sync()
	s.mu.Lock()
	defer s.mu.Unlock()

	switch {
	case err != nil && !errors.Is(err, os.ErrClosed):
		s.doubtDisk()
		return fmt.Errorf("%w: %w", errNotSynced, err)
	case position <= s.unsynced:
		return errNotSynced
	}

	// A file that was closed meanwhile was ended in sync, or its events have a verdict.
	s.synced = written
	return nil
}

func (s *spool) peek(maxEvents int, maxBytes int64) ([][]byte, error) {
	for {
		s.mu.Lock()
		if len(s.segments) == 0 {
			s.mu.Unlock()
			return nil, nil
		}

		oldest := s.segments[0]
		end, events := oldest.size, oldest.events
		s.mu.Unlock()

		frames, err := oldest.read(end, maxEvents, maxBytes)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("client: read the spool: %w", err)
		}

		if len(frames) > 0 {
			s.peeked = frames
			return eventsOf(frames), nil
		}

		s.forgetLost(oldest, events)
	}
}

func eventsOf(frames []frame) [][]byte {
	events := make([][]byte, len(frames))
	for i, f := range frames {
		events[i] = f.event
	}

	return events
}

// forgetLost gives up events that were readable when they were counted and are not any more.
func (s *spool) forgetLost(from *segment, lost int) {
	s.mu.Lock()
	from.events -= lost
	s.events -= lost
	s.left += int64(lost)
	var err error
	if from.events == 0 {
		err = s.removeOldest()
	}

	s.mu.Unlock()

	s.tellError(errors.Join(fmt.Errorf("client: %w: %s: %d events cannot be read any more", ErrSpoolDamaged, from.path, lost), err))
}

func (s *spool) drop(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	oldest := s.segments[0]
	for _, f := range s.peeked[:n] {
		size := int64(len(f.event))
		oldest.events--
		oldest.bytes -= size
		oldest.done = f.end
		s.events--
		s.bytes -= size
	}

	s.left += int64(n)
	s.peeked = nil
	if oldest.events == 0 {
		return s.removeOldest()
	}

	return oldest.noteDone()
}

// removeOldest deletes the oldest segment, whose events all have a verdict. If it is the active
// one, the next event begins another: an empty spool has no event on disk.
func (s *spool) removeOldest() error {
	oldest := s.segments[0]
	s.segments = s.segments[1:]
	s.bytes -= oldest.bytes
	if s.active == oldest {
		s.active = nil
	}

	return oldest.remove()
}

func (s *spool) size() (events int, bytes, left int64) {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.events, s.bytes, s.left
}

// close closes all files and lets the next spool use the directory.
func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()

	for _, open := range s.segments {
		open.close()
	}

	return s.lock.Close()
}

// syncDir waits until the disk has the names of the files in a directory.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the caller's own directory
	if err != nil {
		return err
	}

	return errors.Join(d.Sync(), d.Close())
}
