package serve

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestOpenAPI: the document has every address and no other, and each says how it errs. That it
// is valid OpenAPI, and that what is answered is as it says, SCHEMATHESIS=1 .ci/run serve sees.
func TestOpenAPI(t *testing.T) {
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Tags        []string
			Responses   map[string]any
		}
	}
	check(t, json.Unmarshal(openAPI, &doc))
	s, err := New(Options{Models: []Model{modelOf(t)}})
	check(t, err)
	defer s.Close()
	served := map[string]string{}
	for _, r := range s.routes() {
		method, path, ok := strings.Cut(r.pattern, " ")
		path = strings.NewReplacer("{$}", "", "...}", "}").Replace(path)
		if ok && path != "/page/" { // a handler of the program's
			served[strings.ToLower(method)+" "+path] = r.dialect.name
		}
	}
	written, ids := map[string]string{}, map[string]bool{}
	for path, methods := range doc.Paths {
		for method, o := range methods {
			written[method+" "+path] = o.Tags[0]
			if ids[o.OperationID] {
				t.Errorf("two operations are %s", o.OperationID)
			}
			ids[o.OperationID] = true
			if o.Responses["500"] == nil || o.Responses["403"] == nil {
				t.Errorf("%s %s does not say what it answers when it fails", method, path)
			}
		}
	}
	if !maps.Equal(served, written) {
		t.Errorf("served:  %s\nwritten: %s", lines(served), lines(written))
	}
}

func lines(m map[string]string) string {
	var all []string
	for k, v := range m {
		all = append(all, fmt.Sprintf("%s (%s)", k, v))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
