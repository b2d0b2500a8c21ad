package main

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// printReport prints the sizes of the image: of the download, and unpacked on a node's disk.
func (b built) printReport(out io.Writer, o imageSpec) error {
	info, err := os.Stat(o.out)
	if err != nil {
		return fmt.Errorf("measure the file: %w", err)
	}

	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(format string, values ...any) { _, _ = fmt.Fprintf(w, format, values...) } // Flush reports a failed write
	line("image\t%s:%s\n", o.name, o.version)
	line("file\t%s\t%s\n", o.out, megabytes(info.Size()))
	line("index\t%s\n", digestOf(b.index))
	for _, image := range b.images {
		digest, err := image.Digest()
		if err != nil {
			return fmt.Errorf("hash the image for %s: %w", image.architecture, err)
		}

		layers, err := image.Layers()
		if err != nil {
			return fmt.Errorf("list the layers for %s: %w", image.architecture, err)
		}

		packed, unpacked, err := layerSizes(layers)
		if err != nil {
			return fmt.Errorf("measure a layer for %s: %w", image.architecture, err)
		}

		line("linux/%s\t%s\t%s compressed, %s unpacked\n", image.architecture, digest, megabytes(packed), megabytes(unpacked))
	}

	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

func layerSizes(layers []v1.Layer) (packed, unpacked int64, err error) {
	for _, layer := range layers {
		size, err := layer.Size()
		if err != nil {
			return 0, 0, fmt.Errorf("compress: %w", err)
		}

		packed += size
		content, err := layer.Uncompressed()
		if err != nil {
			return 0, 0, fmt.Errorf("open: %w", err)
		}

		if size, err = io.Copy(io.Discard, content); err != nil {
			return 0, 0, fmt.Errorf("read: %w", err)
		}

		unpacked += size
	}

	return packed, unpacked, nil
}
