package photos

import (
	"encoding/json"
	"os"

	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/recordlog"
)

// Changes is a journal of the index at path that adds the entry "added" and removes
// "0/000.jpg".
func Changes(path, folder string, dim int) []byte {
	base, err := stamp(path)
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(header{folder, base})
	if err != nil {
		panic(err)
	}
	name := path + ".changes"
	w, err := recordlog.Create(name, journalKind)
	if err != nil {
		panic(err)
	}
	row := make([]float32, dim)
	row[0] = 1
	for _, b := range [][]byte{text, change{entry: index.Entry{Key: "added"}, row: row}.record(), change{entry: index.Entry{Key: "0/000.jpg"}, removed: true}.record()} {
		if _, err := w.Add(b); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return data
}
