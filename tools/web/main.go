// Command web builds the client for browsers and Node from clients/js/src, without Node: the
// modules of the npm package into clients/js/dist, and the classic script, which is also
// written to internal/browsersdk, where the service embeds it. With -check it writes nothing
// and fails if the embedded script is not what the sources give; with -tests it builds the
// tests into clients/js/build.
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxGzipped is the most that the classic script may weigh, in bytes after gzip -9: what it
// costs a page that loads it.
const maxGzipped = 2500

// embedded is where the service takes the script from, relative to the root.
const embedded = "internal/browsersdk/eye.js"

func main() {
	root := flag.String("root", "../..", "the root of the repository")
	check := flag.Bool("check", false, "fail if the embedded script differs, and write nothing")
	tests := flag.Bool("tests", false, "build the tests instead")
	flag.Parse()

	if err := run(os.Stdout, *root, *check, *tests); err != nil {
		fmt.Fprintln(os.Stderr, "web:", err)
		os.Exit(1) //nolint:forbidigo // the one place that ends this program
	}
}

func run(to io.Writer, root string, check, tests bool) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return fmt.Errorf("finding the root: %w", err)
	}

	if tests {
		files, err := buildTests(root)
		if err != nil {
			return err
		}

		return write(filepath.Join(root, "clients/js/build"), files)
	}

	files, err := build(root)
	if err != nil {
		return err
	}

	script := files["eye.js"]

	if err := weigh(to, script); err != nil {
		return err
	}

	if check {
		return compare(filepath.Join(root, embedded), script)
	}

	if err := write(filepath.Join(root, "clients/js/dist"), files); err != nil {
		return err
	}

	return write(filepath.Join(root, filepath.Dir(embedded)), map[string][]byte{"eye.js": script})
}

// weigh prints what the script weighs, and fails if that is too much.
func weigh(to io.Writer, script []byte) error {
	var compressed bytes.Buffer

	writer, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("compressing: %w", err)
	}

	if _, err := writer.Write(script); err != nil {
		return fmt.Errorf("compressing: %w", err)
	}

	if err := writer.Close(); err != nil {
		return fmt.Errorf("compressing: %w", err)
	}

	if _, err := fmt.Fprintf(to, "eye.js: %d bytes, %d gzipped; at most %d\n", len(script), compressed.Len(), maxGzipped); err != nil {
		return fmt.Errorf("printing: %w", err)
	}

	if compressed.Len() > maxGzipped {
		return fmt.Errorf("eye.js has %d bytes gzipped, at most %d are allowed", compressed.Len(), maxGzipped)
	}

	return nil
}

// compare fails if the script that the service embeds is another one.
func compare(path string, script []byte) error {
	committed, err := os.ReadFile(path) //nolint:gosec // of the caller's repository
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the embedded script: %w", err)
	}

	if !bytes.Equal(committed, script) {
		return fmt.Errorf("%s is not what clients/js/src gives: run make sdk and commit it", embedded)
	}

	return nil
}

// write writes files into a folder, which it makes.
func write(folder string, files map[string][]byte) error {
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // sources are for everybody to read
		return fmt.Errorf("making the folder: %w", err)
	}

	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil { //nolint:gosec // sources are for everybody to read
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}

	return nil
}
