package serve

import (
	"strings"

	"golang.org/x/text/language"
)

// speak makes token ids of a text those of a text in a language, where the model's texts begin
// with a token for it, as NLLB's do. A language that is not named or not known leaves the
// tokenizer's own, as in Immich's service (immich_ml/models/clip/textual.py).
func (l *loaded) speak(ids []int32, name string) {
	code := flores(name)
	if code == "" || len(ids) < 3 {
		return
	}
	// What the text is of that one token, between the one that texts begin with and the end.
	alone := func(text string) (begins, it int32, ok bool) {
		of := make([]int32, len(ids))
		_, err := l.model.Tokenize(of, text)
		return of[0], of[1], err == nil && len(of)-l.padding(of) == 3
	}
	begins, english, ok := alone("eng_Latn")
	if !ok || begins != english || ids[0] != begins {
		return
	}
	if _, asked, ok := alone(code); ok {
		ids[0] = asked
	}
}

// flores is a language as NLLB's tokens name it, fra_Latn, or "".
func flores(name string) string {
	tag, err := language.Parse(name)
	if err != nil {
		base, _, _ := strings.Cut(strings.ReplaceAll(name, "_", "-"), "-")
		if tag, err = language.Parse(base); err != nil {
			return ""
		}
	}
	base, known := tag.Base()
	script, _ := tag.Script()
	if known == language.No {
		return ""
	}
	code := base.ISO3()
	if one, ok := individual()[code]; ok {
		code = one
	}
	return code + "_" + script.String()
}

// individual are the languages that FLORES-200 has for those of ISO 639 that are several.
func individual() map[string]string {
	const pairs = "ara arb, aym ayr, aze azj, din dik, est est, fas pes, fil tgl, ful fuv, kau knc, kur kmr, lav lvs, mlg plt, mon khk, " +
		"msa zsm, nep npi, nor nob, ori ory, orm gaz, pus pbt, que quy, sqi als, srd srd, swa swh, uzb uzn, yid ydd"
	of := map[string]string{}
	for _, pair := range strings.Split(pairs, ", ") {
		several, one, _ := strings.Cut(pair, " ")
		of[several] = one
	}
	return of
}
