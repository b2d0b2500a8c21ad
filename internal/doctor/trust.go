package doctor

import (
	"fmt"
	"strings"
)

// String says which role may create what.
func (c Creator) String() string {
	if c.Kind == "database" && c.Privilege != "CREATE" {
		return c.roleName() + " may create temporary tables in the database " + c.Name
	}

	if c.Kind == "database" {
		return c.roleName() + " may create schemas in the database " + c.Name
	}

	return c.roleName() + " may create objects in the schema " + c.Name
}

// ListRemedies lists each problem, with the statements that fix it and the role that may run
// them. The owner of the tables may have the right to create only through PUBLIC, and must
// get its own grant before PUBLIC loses it.
func (t Trust) ListRemedies() (remedies []string) {
	if !t.Creates {
		remedies = append(remedies, fmt.Sprintf("%s owns the tables but may not create objects in the schema %s, so no partitions can be created; the schema belongs to %s: run as that role `%s`",
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
		return "every role"
	}

	return "the role " + c.Role
}

func (c Creator) granteeName() string {
	if c.Role == "" {
		return "public"
	}

	return quoteIdentifier(c.Role)
}

// String names the object and its owner.
func (p UntrustedObject) String() string {
	return fmt.Sprintf("the %s %s belongs to %s", p.Kind, p.Name, p.Owner)
}

// DescribeRemedy names the object, and the fix.
func (p UntrustedObject) DescribeRemedy() string {
	return p.String() + " and may run in place of the object that the service uses: find out what it does, then drop it or move it to another schema"
}

// quoteIdentifier quotes a name for use in a statement, if necessary.
func quoteIdentifier(name string) string {
	plain := strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == "" && name != "" && (name[0] < '0' || name[0] > '9')
	if plain {
		return name
	}

	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// checkCreators returns only a warning if no role but the owner uses the tables.
func (f *facts) checkCreators() assessment {
	return assessFact(f.db.Trust, func(t Trust) assessment {
		var found []string
		if !t.Creates {
			found = append(found, t.Owner+", which owns the tables, may not create objects in the schema "+t.Schema)
		}

		for _, c := range t.Creators {
			found = append(found, c.String())
		}

		if len(found) == 0 {
			return ok("only " + t.Owner + " and trusted roles may create objects")
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

			found = append(found, text)
			shadows = shadows || p.Shadows
		}

		switch {
		case shadows:
			return failed(joinNames(found))
		case len(found) > 0:
			return warning(joinNames(found))
		}

		return ok("there are none")
	})
}
