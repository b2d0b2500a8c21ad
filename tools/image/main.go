package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
)

// imageSpec describes the image.
type imageSpec struct {
	name         string // without the tag
	version      string // is the tag, too
	revision     string
	created      time.Time
	certificates string            // a file
	binaries     map[string]string // from architecture to file
	out          string            // a file
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "image: "+err.Error())
		os.Exit(1) //nolint:forbidigo // the one place that ends this program
	}
}

func run(arguments []string, out io.Writer) error {
	o, err := parseArguments(arguments)
	if err != nil {
		return err
	}

	made, err := assembleImage(o)
	if err != nil {
		return err
	}

	if err := made.writeFile(o); err != nil {
		return err
	}

	return made.printReport(out, o)
}

// tagPattern matches what may follow the colon in the name of an image.
func tagPattern() *regexp.Regexp { return regexp.MustCompile(`^[\w][\w.-]{0,127}$`) }

func parseArguments(arguments []string) (imageSpec, error) {
	o := imageSpec{binaries: map[string]string{}}
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.name, "name", "", "name of the image, without a tag")
	flags.StringVar(&o.version, "version", "", "version, and tag")
	flags.StringVar(&o.revision, "revision", "", "commit that the binaries were built from")
	flags.StringVar(&o.certificates, "certificates", "", "`file` of CA certificates, as PEM")
	flags.StringVar(&o.out, "out", "", "`file` to write")
	epoch := flags.Int64("epoch", -1, "timestamp of everything in the image, in `seconds` since 1970")
	if err := flags.Parse(arguments); err != nil {
		return o, fmt.Errorf("read the arguments: %w", err)
	}

	var missing []error
	flags.VisitAll(func(f *flag.Flag) {
		if f.Value.String() == f.DefValue {
			missing = append(missing, fmt.Errorf("-%s is missing", f.Name))
		}
	})
	if err := errors.Join(missing...); err != nil {
		return o, err
	}

	if !tagPattern().MatchString(o.version) {
		return o, fmt.Errorf("the version %q cannot be the tag of an image", o.version)
	}

	o.created = time.Unix(*epoch, 0).UTC()
	for _, pair := range flags.Args() {
		architecture, file, found := strings.Cut(pair, "=")
		if !found {
			return o, fmt.Errorf("%q is not ARCHITECTURE=BINARY", pair)
		}

		o.binaries[architecture] = file
	}

	if len(o.binaries) == 0 {
		return o, errors.New("no ARCHITECTURE=BINARY is named")
	}

	return o, nil
}
