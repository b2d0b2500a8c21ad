package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
		os.Exit(1) //nolint:forbidigo // the one place that ends this program
	}
}

// run measures the tree and prints the table and, on request, the places.
func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("house", flag.ContinueOnError)
	root := flags.String("root", ".", "measure the tree in this `folder`")
	verbose := flags.Bool("v", false, "print the places behind each figure, with file and line")
	only := flags.String("only", "", "with -v, print the places of figures whose key begins with this `text`")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("read the arguments: %w", err)
	}

	measured, err := readTree(*root, flags.Args())
	if err != nil {
		return err
	}

	figures, err := measureTree(measured) // with an error, the figures that could be measured

	report := tableOf(figures, houseLimits())
	if *verbose {
		report = listPlaces(figures, *only) + report
	}

	if _, failed := io.WriteString(out, report); failed != nil {
		return fmt.Errorf("print the figures: %w", failed)
	}

	return err
}
