package encoder

import (
	"encoding/json"
	"reflect"
	"testing"
)

// FuzzParseLoRA: what is read can be written and read again.
func FuzzParseLoRA(f *testing.F) {
	for _, s := range []string{`{"r":8,"lora_alpha":16,"target_modules":["*"]}`, `{}`, `{"r":-1}`, `null`, `[`, `{"r":1e99}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		cfg, err := parseLoRA(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(loraConfig(cfg))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseLoRA(again); err != nil || !reflect.DeepEqual(got, cfg) {
			t.Errorf("%q read as %+v, and again as %+v, %v", text, cfg, got, err)
		}
	})
}
