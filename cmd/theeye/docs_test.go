package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	main "github.com/the-eye-events/the-eye/cmd/theeye"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/doctor"
)

const repository = "../.."

// documents are the pages that people read, by their path in the repository.
func documents(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(repository + "/docs/*.md")
	require.NoError(t, err)
	for _, name := range []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "UPGRADING.md", "charts/the-eye/README.md"} {
		paths = append(paths, filepath.Join(repository, name))
	}

	texts := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		name, err := filepath.Rel(repository, path)
		require.NoError(t, err)
		texts[name] = string(text)
	}

	require.Greater(t, len(texts), 20)
	return texts
}

// block matches text between fences, span text between backquotes.
var (
	block = regexp.MustCompile("(?s)```.*?```")
	span  = regexp.MustCompile("`([^`]+)`")
)

// codeSpans returns the code spans in the text of a page, each on one line.
func codeSpans(page string) (found []string) {
	for _, m := range span.FindAllStringSubmatch(block.ReplaceAllString(page, ""), -1) {
		found = append(found, strings.Join(strings.Fields(m[1]), " "))
	}

	return found
}

// loggedTexts returns the texts that the program logs.
func loggedTexts(t *testing.T) (texts []string) {
	t.Helper()
	levels := []string{"Debug", "Info", "Warn", "Error"}
	err := filepath.WalkDir(filepath.Join(repository, "internal"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}

		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}

		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}

			method, ok := call.Fun.(*ast.SelectorExpr)
			text, isText := call.Args[0].(*ast.BasicLit)
			if ok && isText && slices.Contains(levels, method.Sel.Name) {
				if said, err := strconv.Unquote(text.Value); err == nil {
					texts = append(texts, said)
				}
			}

			return true
		})
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, len(texts), 30)
	return texts
}

// A page that quotes a log line, or its beginning, quotes one that the program writes. A code
// span of three words or more, without any sign but commas, counts as a log line unless it
// begins like a command or a statement.
func TestDocsQuoteLinesOfTheLog(t *testing.T) {
	t.Parallel()
	const others = "alter app create docker drop eyeload git go grant helm insert key kubectl lock make migrate on pg reindex rollback select set skip systemctl taskset theeye top vacuum"
	words := regexp.MustCompile(`^[a-z]+( [a-z',;]+){2,}$`)
	texts := loggedTexts(t)
	quoted := 0
	for name, page := range documents(t) {
		for _, s := range codeSpans(page) {
			first, _, _ := strings.Cut(s, " ")
			if !words.MatchString(s) || slices.Contains(strings.Fields(others), first) {
				continue
			}

			quoted++
			begins := func(text string) bool { return strings.HasPrefix(text, s) }
			require.True(t, slices.ContainsFunc(texts, begins), "%s quotes a line that nothing logs: %s", name, s)
		}
	}

	require.Greater(t, quoted, 8)
}

// command matches a use of the program: the text after its name, up to the end of the command.
var command = regexp.MustCompile(`(?:^|[\s/$(])theeye ((?:[^\s|;&><#)` + "`" + `]+ ?)+)`)

// A command that a page shows exists, with all its flags.
func TestDocsShowCommandsThatExist(t *testing.T) {
	t.Parallel()
	shown := 0
	for name, page := range documents(t) {
		for _, use := range append(shellLines(page), codeSpans(page)...) {
			for _, m := range command.FindAllStringSubmatch(use, -1) {
				shown++
				requireCommand(t, name, strings.Fields(m[1]))
			}
		}
	}

	require.Greater(t, shown, 60)
}

// requireCommand requires that arguments name a command and flags of it.
func requireCommand(t *testing.T, page string, arguments []string) {
	t.Helper()
	cmd := main.Root()
	cmd.InitDefaultCompletionCmd()
	for _, argument := range arguments {
		sub := subcommand(cmd, argument)
		if sub == nil && cmd.HasSubCommands() && !strings.HasPrefix(argument, "-") && !strings.HasPrefix(argument, "/") { // a second file to install
			require.Fail(t, "a command that is not there", "%s: %s of %q", page, argument, arguments)
		}

		if sub != nil {
			cmd = sub
		}

		if flag, ok := strings.CutPrefix(argument, "--"); ok && flag != "" && flag != "help" {
			flag, _, _ = strings.Cut(strings.TrimRight(flag, ".,:'\"]"), "=")
			require.NotNil(t, cmd.Flags().Lookup(flag), "%s: --%s of %s", page, flag, cmd.CommandPath())
		}
	}
}

func subcommand(cmd *cobra.Command, name string) *cobra.Command {
	for _, sub := range cmd.Commands() {
		if sub.Name() == name {
			return sub
		}
	}

	return nil
}

// A setting or variable that a page names exists.
func TestDocsNameSettingsThatExist(t *testing.T) {
	t.Parallel()
	keys, sections, variables := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range config.Settings() {
		section, _, _ := strings.Cut(s.Key, ".")
		keys[s.Key], sections[section], variables[s.Env], variables[s.Env+"_FILE"] = true, true, true, true
	}

	for _, name := range []string{"THEEYE_URL", "THEEYE_OPS_URL", "THEEYE_KEY", "THEEYE_READ_KEY", "THEEYE_ADMIN_KEY", "THEEYE_INGEST_KEY", "THEEYE_PUBLIC_KEY"} {
		variables[name] = true // of clients, in dev.env
	}

	key, variable := regexp.MustCompile(`^([a-z]+)\.[a-z_]+$`), regexp.MustCompile(`THEEYE_[A-Z_]*[A-Z]`)
	checks := doctor.RenderMarkdown()
	for name, page := range documents(t) {
		for _, s := range codeSpans(page) {
			if m := key.FindStringSubmatch(s); m != nil && sections[m[1]] && !strings.Contains(checks, "`"+s+"`") && !strings.HasSuffix(s, ".go") && !strings.HasSuffix(s, ".js") {
				require.True(t, keys[s], "%s: %s", name, s)
			}
		}

		for _, v := range variable.FindAllString(page, -1) {
			require.True(t, variables[v], "%s: %s", name, v)
		}
	}
}

// A metric that a page names is in docs/metrics.md, which is checked against a running service.
func TestDocsNameMetricsThatExist(t *testing.T) {
	t.Parallel()
	pages := documents(t)
	migrations := ""
	files, err := filepath.Glob(repository + "/migrations/*.sql")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		migrations += string(text)
	}

	metric := regexp.MustCompile(`theeye_[a-z_]*[a-z]`)
	for name, page := range pages {
		for _, m := range metric.FindAllString(page, -1) {
			base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(m, "")
			if m == "theeye_service" || m == "theeye_analyst" || m == "theeye_owner" || m == "theeye_before" {
				continue // roles, which each operator names
			}

			known := strings.Contains(pages["docs/metrics.md"], "`"+m+"`") || strings.Contains(pages["docs/metrics.md"], "`"+base+"`") || strings.Contains(migrations, m)
			require.True(t, known, "%s names %s", name, m)
		}
	}
}

// A target of make that a page names exists.
func TestDocsNameTargetsThatExist(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(repository + "/Makefile")
	require.NoError(t, err)
	target := regexp.MustCompile(`^make (?:-s )?([a-z0-9-]+)`)

	for name, page := range documents(t) {
		for _, s := range append(codeSpans(page), shellLines(page)...) {
			if m := target.FindStringSubmatch(s); m != nil {
				require.Regexp(t, `(?m)^`+m[1]+`:`, string(makefile), name)
			}
		}
	}
}

// shellLines are the lines of the shell blocks of a page; one that continues is joined.
func shellLines(page string) (lines []string) {
	for _, b := range block.FindAllString(page, -1) {
		if strings.HasPrefix(b, "```sh\n") {
			lines = append(lines, strings.Split(strings.ReplaceAll(b, "\\\n", " "), "\n")...)
		}
	}

	return lines
}

// A flag that a page names without its command is one of theeye or of eyeload, or of the
// programs that are listed here.
func TestDocsNameFlagsThatExist(t *testing.T) {
	t.Parallel()
	const others = "set wait atomic data-binary help" // helm, curl, cobra
	known := map[string]bool{}
	for name := range strings.FieldsSeq(others) {
		known[name] = true
	}

	noteFlags(main.Root(), known)
	eyeload := goSources(t, filepath.Join(repository, "eyeload"))
	flag := regexp.MustCompile(`^--([a-z][a-z0-9-]*)`)

	named := 0
	for name, page := range documents(t) {
		for _, s := range codeSpans(page) {
			if m := flag.FindStringSubmatch(s); m != nil {
				named++
				require.True(t, known[m[1]] || strings.Contains(eyeload, `"`+m[1]+`"`), "%s: --%s", name, m[1])
			}
		}
	}

	require.Greater(t, named, 30)
}

// noteFlags adds the flags of a command and of those below it.
func noteFlags(command *cobra.Command, known map[string]bool) {
	command.LocalFlags().VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
	for _, sub := range command.Commands() {
		noteFlags(sub, known)
	}
}

// goSources is the text of the Go files below a folder, without tests.
func goSources(t *testing.T, root string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}

		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	require.NoError(t, err)
	return all.String()
}

// An alert that a page names is in the rules.
func TestDocsNameAlertsThatExist(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile(repository + "/charts/the-eye/rules/the-eye.yaml")
	require.NoError(t, err)
	alert := regexp.MustCompile(`\bTheEye[A-Z][A-Za-z]*`)

	named := 0
	for name, page := range documents(t) {
		for _, a := range alert.FindAllString(page, -1) {
			named++
			require.Regexp(t, `(?m)- alert: `+a+`$`, string(rules), name)
		}
	}

	require.Greater(t, named, 20)
}

// A link between pages leads to an existing file and heading.
func TestDocsLinkToPagesThatExist(t *testing.T) {
	t.Parallel()
	pages := documents(t)
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for name, page := range pages {
		for _, m := range link.FindAllStringSubmatch(block.ReplaceAllString(page, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}

			path, anchor, _ := strings.Cut(m[1], "#")
			target := name
			if path != "" {
				target = filepath.Join(filepath.Dir(name), path)
				require.FileExists(t, filepath.Join(repository, target), "a link of %s", name)
			}

			if anchor != "" {
				require.Contains(t, anchors(pages[target]), anchor, "%s links to a heading of %s", name, target)
			}
		}
	}
}

// anchors returns the anchors that GitHub makes of the headings of a page.
func anchors(page string) (found []string) {
	heading := regexp.MustCompile(`(?m)^#+ (.+)$`)
	sign := regexp.MustCompile("[^a-z0-9 _-]")
	for _, m := range heading.FindAllStringSubmatch(block.ReplaceAllString(page, ""), -1) {
		found = append(found, strings.ReplaceAll(sign.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}

	return found
}

// The exit codes of the program are those of docs/commands.md.
func TestExitCodesAreDocumented(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	require.NoError(t, err)
	code := regexp.MustCompile(`(?m)^\texit[A-Z]\w+\s+= (\d+)`)
	page := documents(t)["docs/commands.md"]
	documented := regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(page, -1)

	ends := []string{"0"}
	for _, m := range code.FindAllStringSubmatch(string(source), -1) {
		if m[1] != "128" { // plus a signal; it has a row of its own
			ends = append(ends, m[1])
		}
	}

	var rows []string
	for _, m := range documented {
		rows = append(rows, m[1])
	}

	require.Equal(t, ends, rows)
	require.Contains(t, page, "| 130, 143 |")
}
