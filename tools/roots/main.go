// Command roots prints the CA certificates that Mozilla trusts, as PEM. They come from a Go
// module, so that go.sum pins them, on any machine and in any base image.
//
// The Dockerfile and `make image` both put them into the image. A root that is trusted under a
// condition is left out: PEM cannot express the condition.
package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"os"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

func main() {
	if err := writeRoots(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "roots: "+err.Error())
		os.Exit(1) //nolint:forbidigo // the one place that ends this program
	}
}

func writeRoots(to io.Writer) error {
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}

		if err := pem.Encode(to, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}

	return nil
}
