package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// maxFileBytes bounds a file.
const maxFileBytes = 16 << 20

// Stdin is the path that means standard input.
const Stdin = "-"

// Read reads the plan from a file, from all *.yaml, *.yml and *.json files below a
// directory, or from in if path is Stdin. Names that begin with a dot are left out. It
// returns ErrInvalid with all problems, or when there is no event type at all.
//
// Schemas are of the draft from. Those older than 2020-12 are converted, unless their
// $schema says that they are of 2020-12.
func Read(path string, in io.Reader, from eventtype.Draft) (Plan, error) {
	files := []string{path}
	if path != Stdin {
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			files, err = filesBelow(path)
		}

		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}

	var documents []Document
	var wrong []string
	for _, file := range files {
		text, err := readText(file, in)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}

		found, faults := parseFile(file, text, from)
		documents = append(documents, found...)
		wrong = append(wrong, faults...)
	}

	plan, twice := combineDocuments(documents)
	if wrong = append(wrong, twice...); len(wrong) > 0 {
		return nil, fmt.Errorf("%w:\n%s", ErrInvalid, strings.Join(wrong, "\n"))
	}

	if len(plan) == 0 {
		return nil, fmt.Errorf("%w: %s has none", ErrInvalid, path)
	}

	return plan, nil
}

// filesBelow lists the files of a plan. It skips names that begin with a dot, because they
// are hidden files, and in a mounted ConfigMap they hold every file a second time.
func filesBelow(directory string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(directory+string(filepath.Separator), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(entry.Name(), ".") && filepath.Clean(path) != filepath.Clean(directory):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case !entry.IsDir() && isPlanFile(path):
			files = append(files, filepath.Clean(path))
		}

		return nil
	})
	slices.Sort(files)
	return files, err //nolint:wrapcheck // the caller says what for
}

func isPlanFile(path string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(path)))
}

func readText(file string, in io.Reader) ([]byte, error) {
	if file != Stdin {
		opened, err := os.Open(file) //nolint:gosec // the caller names it
		if err != nil {
			return nil, err //nolint:wrapcheck // it names the file
		}
		defer opened.Close() //nolint:errcheck // it was only read

		in = opened
	}

	text, err := io.ReadAll(io.LimitReader(in, maxFileBytes+1))
	if err == nil && len(text) > maxFileBytes {
		err = errors.New("it is larger than 16 MiB")
	}

	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}

	return text, nil
}

// parseFile reads the documents of a file. Standard input is JSON if it parses as JSON.
func parseFile(file string, text []byte, from eventtype.Draft) (documents []Document, wrong []string) {
	each := yamlDocuments
	if holdsJSON(file, text) {
		each = jsonDocuments
	}

	number := 0
	err := each(text, func(document []byte, err error) {
		number++
		d := Document{File: file, Number: number}
		if err != nil {
			wrong = append(wrong, d.location()+": "+err.Error())
		} else if faults := parseDocument(&d, document, from); len(faults) > 0 {
			wrong = append(wrong, faults...)
		} else {
			documents = append(documents, d)
		}
	})
	if err != nil {
		d := Document{File: file, Number: number + 1}
		wrong = append(wrong, d.location()+": "+err.Error())
	}

	return documents, wrong
}

func holdsJSON(file string, text []byte) bool {
	return strings.EqualFold(filepath.Ext(file), ".json") || (file == Stdin && bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) && isJSON(text))
}

func isJSON(text []byte) bool { return jsonDocuments(text, func([]byte, error) {}) == nil }

// jsonDocuments passes each of the JSON values in a text to yield.
func jsonDocuments(text []byte, yield func([]byte, error)) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		var document json.RawMessage
		switch err := decoder.Decode(&document); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("it is not JSON: %w", err)
		}

		yield(document, nil)
	}
}

// yamlDocuments passes each document of a YAML text to yield, as JSON. It skips empty ones.
func yamlDocuments(text []byte, yield func([]byte, error)) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var document yaml.Node
		switch err := decoder.Decode(&document); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err //nolint:wrapcheck // it begins with yaml:
		}

		if len(document.Content) == 1 && document.Content[0].Tag == nullTag {
			continue
		}

		yield(toJSON(&document))
	}
}
