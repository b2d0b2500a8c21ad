// Command find-postgres prints the folder of the Postgres server programs that theeye dev and
// the tests will use, and downloads them first where there are none. It is small, so that
// scripts/ensure-postgres builds it and learns the result within seconds.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/the-eye-events/the-eye/internal/localpg"
)

func main() {
	folder, err := localpg.FindBinaries(context.Background(), localpg.Options{})
	if err != nil {
		// The calling script says what to install.
		cause := strings.TrimPrefix(err.Error(), localpg.ErrNotFound.Error()+": ")
		fmt.Fprintln(os.Stderr, "find-postgres:", cause)
		os.Exit(1)
	}

	fmt.Fprintln(os.Stdout, folder) //nolint:errcheck // nowhere to report it
}
