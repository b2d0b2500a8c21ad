package doctor

import (
	"fmt"
	"strings"
)

// String says what the grant lets whom do.
func (c Creator) String() string {
	if c.Kind == "database" && c.Privilege != "CREATE" {
		return c.roleName() + " may make temporary tables in the database " + c.Name
	}

	if c.Kind == "database" {
		return c.roleName() + " may create schemas in the database " + c.Name
	}

	return c.roleName() + " may create in the schema " + c.Name
}

// ListRemedies says what is wrong, and the statements that mend it with the role that may run
// them. Who owns the tables may have the right to create from everybody's alone, and has to
// be given it before it is taken from everybody.
func (t Trust) ListRemedies() (remedies []string) {
	if !t.Creates {
		remedies = append(remedies, fmt.Sprintf("%s owns the tables, may not create in the schema %s and so makes no partitions; the schema belongs to %s: run as that role `%s`",
			t.Owner, t.Schema, t.SchemaOwner, t.grantCreate()))
	}

	for _, c := range t.Creators {
		statement := fmt.Sprintf("revoke %s on %s %s from %s", strings.ToLower(c.Privilege), c.Kind, quoteIdentifier(c.Name), c.granteeName())
		if c.Kind == "schema" && c.Role == "" && c.Name == t.Schema && t.Owner != t.SchemaOwner {
			statement = t.grantCreate() + "; " + statement
		}

		remedies = append(remedies, fmt.Sprintf("%s, and the %s belongs to %s: run as that role `%s`", c, c.Kind, c.Owner, statement))
	}

	return remedies
}

func (t Trust) grantCreate() string {
	return "grant create on schema " + quoteIdentifier(t.Schema) + " to " + quoteIdentifier(t.Owner)
}

func (c Creator) roleName() string {
	if c.Role == "" {
		return "everybody"
	}

	return "the role " + c.Role
}

func (c Creator) granteeName() string {
	if c.Role == "" {
		return "public"
	}

	return quoteIdentifier(c.Role)
}

// String says what was made by whom.
func (p UntrustedObject) String() string {
	return fmt.Sprintf("the %s %s belongs to %s", p.Kind, p.Name, p.Owner)
}

// DescribeRemedy says what was made, and what to do with it.
func (p UntrustedObject) DescribeRemedy() string {
	return p.String() + " and can be run in the place of what the service means: look at what it does, then drop it or move it to another schema"
}

// quoteIdentifier is a name as a statement has it.
func quoteIdentifier(name string) string {
	plain := strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == "" && name != "" && (name[0] < '0' || name[0] > '9')
	if plain {
		return name
	}

	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// checkCreators is no more than a warning where nobody but the owner uses the tables.
func (f *facts) checkCreators() assessment {
	return assessFact(f.db.Trust, func(t Trust) assessment {
		var found []string
		if !t.Creates {
			found = append(found, t.Owner+", who owns the tables, may not create in the schema "+t.Schema)
		}

		for _, c := range t.Creators {
			found = append(found, c.String())
		}

		if len(found) == 0 {
			return ok("nobody may but " + t.Owner + " and who is trusted anyway")
		}

		advice := strings.Join(t.ListRemedies(), "; ") + "."
		if t.Granted || !t.Creates {
			return failed(joinNames(found)).withAdvice(advice)
		}

		return warning(joinNames(found)).withAdvice(advice)
	})
}

func (f *facts) checkUntrustedObjects() assessment {
	return assessFact(f.db.Trust, func(t Trust) assessment {
		var found []string
		shadows := false
		for _, p := range t.UntrustedObjects {
			text := p.String()
			if p.Shadows {
				text += " and has a name that the service uses"
			}

			found, shadows = append(found, text), shadows || p.Shadows
		}

		switch {
		case shadows:
			return failed(joinNames(found))
		case len(found) > 0:
			return warning(joinNames(found))
		}

		return ok("there is none")
	})
}
