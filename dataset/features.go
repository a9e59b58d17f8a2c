package dataset

import "encoding/json"

// FeatureLabels returns the names of the classes of each column that has some, from what
// Hugging Face's datasets keeps under "huggingface" in the metadata of Parquet and Arrow
// files. Text of another form has none. It is for a [Format].
func FeatureLabels(text []byte) map[string][]string {
	var said struct {
		Info struct {
			Features map[string]struct {
				Names []string `json:"names"`
			} `json:"features"`
		} `json:"info"`
	}
	labels := map[string][]string{}
	if json.Unmarshal(text, &said) == nil {
		for name, f := range said.Info.Features {
			labels[name] = f.Names
		}
	}
	return labels
}
