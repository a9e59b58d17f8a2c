package kernel

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestTablesAreComplete: every set that runs here has a function for everything.
func TestTablesAreComplete(t *testing.T) {
	for _, set := range available {
		v := reflect.ValueOf(*set)
		for i := range v.NumField() {
			field, name := v.Field(i), v.Type().Field(i).Name
			if field.IsZero() {
				t.Errorf("%v: %s is missing", set, name)
			}
			for j := 0; field.Kind() == reflect.Array && j < field.Len(); j++ {
				if field.Index(j).IsNil() {
					t.Errorf("%v: %s[%d] is missing", set, name, j)
				}
			}
		}
		tiles := set.tiles
		if tiles.Cols%tiles.Lanes != 0 {
			t.Errorf("%v: tiles of %d columns in vectors of %d", set, tiles.Cols, tiles.Lanes)
		}
		for rows := 1; rows <= tiles.Rows; rows++ {
			for vectors := 1; vectors <= tiles.Cols/tiles.Lanes; vectors++ {
				if len(tiles.By) <= rows || len(tiles.By[rows]) <= vectors || tiles.By[rows][vectors] == nil {
					t.Errorf("%v: the tile of %d rows and %d vectors is missing", set, rows, vectors)
				}
			}
		}
	}
}

// TestTablesSaySo reads the tables of all architectures: each has an entry for
// every field, one of plain Go beside assembly says so in a comment on its line,
// and so does one that AVX-512 has from AVX2.
func TestTablesSaySo(t *testing.T) {
	files, err := filepath.Glob("table*.go")
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]map[string]string{} // of a table by name: the fields' values
	said := map[string]map[string]string{}    // and the comments behind them
	for _, file := range files {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		comments := map[int]string{}
		for _, c := range f.Comments {
			comments[fset.Position(c.Pos()).Line] = c.Text()
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			lit, ok := spec.Values[0].(*ast.CompositeLit)
			if !ok || types.ExprString(lit.Type) != "table" {
				return true
			}
			set := spec.Names[0].Name
			entries[set], said[set] = map[string]string{}, map[string]string{}
			for _, e := range lit.Elts {
				kv := e.(*ast.KeyValueExpr)
				key := types.ExprString(kv.Key)
				values := []ast.Expr{kv.Value}
				if array, ok := kv.Value.(*ast.CompositeLit); ok {
					values = array.Elts
					if len(values) != activations {
						t.Errorf("%s: %s has %d entries, want %d", set, key, len(values), activations)
					}
				}
				for _, v := range values {
					if pair, ok := v.(*ast.KeyValueExpr); ok {
						v = pair.Value
					}
					entries[set][key] += types.ExprString(v) + " "
				}
				said[set][key] = comments[fset.Position(kv.End()).Line]
			}
			return true
		})
	}
	for _, set := range []string{"portable", "avx2", "avx512", "neon"} {
		own := entries[set]
		for i := range reflect.TypeFor[table]().NumField() {
			field := reflect.TypeFor[table]().Field(i).Name
			value, ok := own[field]
			switch {
			case !ok:
				t.Errorf("%s: %s is missing", set, field)
			case set != "portable" && strings.Contains(value, "Go ") && !strings.HasPrefix(said[set][field], "no "):
				t.Errorf("%s: %s is %s, and no comment says that there is no assembly", set, field, value)
			case set == "avx512" && value == entries["avx2"][field] && !strings.HasPrefix(said[set][field], "AVX2"):
				t.Errorf("%s: %s is %s, and no comment says that it is AVX2's", set, field, value)
			}
		}
	}
	if len(entries) != 4 {
		t.Errorf("found %d tables, want 4", len(entries))
	}
}
