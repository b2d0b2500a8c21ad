package client

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// generous bounds nothing that a test writes.
func generous() bounds { return bounds{events: 1 << 20, bytes: 1 << 30} }

func openTestSpool(t *testing.T, dir string, limits bounds) (s *spool, told *[]error) {
	t.Helper()
	told = &[]error{}
	s, err := openSpool(dir, limits, false, func(err error) { *told = append(*told, err) })
	if err != nil {
		t.Fatal(err)
	}

	return s, told
}

func pushAll(t *testing.T, s *spool, events ...string) {
	t.Helper()
	for _, event := range events {
		if _, _, err := s.push([]byte(event)); err != nil {
			t.Fatal(err)
		}
	}
}

// drain reads and drops everything.
func drain(t *testing.T, s *spool) (events []string) {
	t.Helper()
	for {
		batch, err := s.peek(3, 1<<20)
		if err != nil {
			t.Fatal(err)
		}

		if len(batch) == 0 {
			return events
		}

		for _, event := range batch {
			events = append(events, string(event))
		}

		if err := s.drop(len(batch)); err != nil {
			t.Fatal(err)
		}
	}
}

// makeSpool returns the files that a process leaves which is killed with some events in its
// spool, of which the first are done.
func makeSpool(t *testing.T, done int, events ...string) (name string, text, notes []byte) {
	t.Helper()
	dir := t.TempDir()
	s, _ := openTestSpool(t, dir, generous())
	pushAll(t, s, events...)
	for range done {
		if _, err := s.peek(1, 1); err != nil {
			t.Fatal(err)
		}

		if err := s.drop(1); err != nil {
			t.Fatal(err)
		}
	}

	if err := s.close(); err != nil {
		t.Fatal(err)
	}

	files, err := filepath.Glob(filepath.Join(dir, "*."+eventsKind))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}

	text, err = os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}

	name = filepath.Base(files[0])
	name = name[:len(name)-len("."+eventsKind)]
	notes, _ = os.ReadFile(filepath.Join(dir, name+"."+doneKind)) // there may be none
	return name, text, notes
}

// restore writes the files of a spool, drains it, and returns the events and what was reported.
func restore(t *testing.T, name string, text, notes []byte) (events []string, told []error) {
	t.Helper()
	dir := t.TempDir()
	for kind, content := range map[string][]byte{eventsKind: text, doneKind: notes} {
		if err := os.WriteFile(filepath.Join(dir, name+"."+kind), content, fileMode); err != nil {
			t.Fatal(err)
		}
	}

	s, errs := openTestSpool(t, dir, generous())
	count, size, _ := s.size()
	pushAll(t, s, "new")
	events = drain(t, s)
	if last := len(events) - 1; last < 0 || events[last] != "new" {
		t.Fatal("the new event is not the last", events)
	}

	events = events[:len(events)-1]
	if count != len(events) || size != int64(len(bytes.Join(asBytes(events), nil))) {
		t.Fatalf("%d events of %d bytes were counted: %q", count, size, events)
	}

	if err := s.close(); err != nil {
		t.Fatal(err)
	}

	return events, *errs
}

func asBytes(events []string) (all [][]byte) {
	for _, event := range events {
		all = append(all, []byte(event))
	}

	return all
}

// Wherever a process is killed while it writes, the events before are whole, and what was being
// written is not an event.
func TestATornEndIsNoEvent(t *testing.T) {
	t.Parallel()
	events := []string{"first", "second event", "third"}
	name, text, _ := makeSpool(t, 0, events...)
	whole := 0
	end := len(segmentHead)
	for cut := range len(text) + 1 {
		if whole < len(events) && cut == end+frameHead+len(events[whole]) {
			end = cut
			whole++
		}

		got, told := restore(t, name, text[:cut], nil)
		if !slices.Equal(got, events[:whole]) {
			t.Fatalf("cut at %d: %q", cut, got)
		}

		torn := cut != end && cut > len(segmentHead)
		if (len(told) > 0) != torn {
			t.Fatalf("cut at %d: %v", cut, told)
		}
	}
}

// A file that something changes never becomes an event that was never sent, and loses no more
// than it must.
func TestChangedBytesAreNoEvent(t *testing.T) {
	t.Parallel()
	events := []string{"first", "second event", "third"}
	name, text, _ := makeSpool(t, 0, events...)
	for at := len(segmentHead); at < len(text); at++ {
		for _, bit := range []byte{1, 0x80} {
			changed := bytes.Clone(text)
			changed[at] ^= bit
			got, told := restore(t, name, changed, nil)
			if len(told) != 1 || !errors.Is(told[0], ErrSpoolDamaged) {
				t.Fatalf("byte %d: %v", at, told)
			}

			for _, event := range got {
				if !slices.Contains(events, event) {
					t.Fatalf("byte %d: %q was never written", at, event)
				}
			}

			if !isInLength(events, at) && len(got) != len(events)-1 {
				t.Fatalf("byte %d: one event was changed, %q are left", at, got)
			}
		}
	}
}

// isInLength reports whether a byte belongs to the length of an event.
func isInLength(events []string, at int) bool {
	begin := len(segmentHead)
	for _, event := range events {
		if at >= begin && at < begin+4 {
			return true
		}

		begin += frameHead + len(event)
	}

	return false
}

// A note that is torn or changed makes events be sent again, and never leaves one out.
func TestATornNoteLeavesNothingOut(t *testing.T) {
	t.Parallel()
	events := []string{"1", "22", "333", "4444", "55555"}
	for done := range len(events) {
		name, text, notes := makeSpool(t, done, events...)
		got, told := restore(t, name, text, notes)
		if !slices.Equal(got, events[done:]) || len(told) > 0 {
			t.Fatalf("%d done: %q %v", done, got, told)
		}

		for cut := range len(notes) {
			got, _ := restore(t, name, text, notes[:cut])
			if len(got) < len(events)-done || got[len(got)-1] != events[len(events)-1] {
				t.Fatalf("%d done, note cut at %d: %q", done, cut, got)
			}
		}

		for at := range notes {
			changed := bytes.Clone(notes)
			changed[at] ^= 1
			got, _ := restore(t, name, text, changed)
			if len(got) < len(events)-done || len(got) > len(events)-max(0, done-1) {
				t.Fatalf("%d done, note changed at %d: %q", done, at, got)
			}
		}
	}
}

// A note outlives its events if a crash comes between the two deletions. It is never taken for
// a note on other events.
func TestNotesWithoutEventsAreForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stray := filepath.Join(dir, fmt.Sprintf("%020d.%s", int64(1)<<60, doneKind))
	if err := os.WriteFile(stray, bytes.Repeat([]byte{7}, noteSize), fileMode); err != nil {
		t.Fatal(err)
	}

	s, _ := openTestSpool(t, dir, generous())
	pushAll(t, s, "a", "b")
	if _, err := os.Stat(stray); !os.IsNotExist(err) {
		t.Fatal("the note is still there", err)
	}

	if s.segments[0].path <= stray[:len(stray)-len(".done")] {
		t.Fatal("the number of the note is used again", s.segments[0].path)
	}

	if got := drain(t, s); len(got) != 2 {
		t.Fatal(got)
	}

	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}
