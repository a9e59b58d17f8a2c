package serve

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
)

// longString is from how many bytes on a string of JSON is worth being taken out.
const longString = 16 << 10

// unmarshal is [json.Unmarshal], but for what it takes to read long strings, as images in
// base64 are: it looks at each of their bytes several times, which for a photograph is a tenth
// of what its embedding takes. They are taken out of the document, and put into what comes of
// the rest.
func unmarshal(body []byte, v any) error {
	small, long := takeOut(body)
	if err := json.Unmarshal(small, v); err != nil || len(long) == 0 {
		return err
	}
	putBack(reflect.ValueOf(v), long)
	return nil
}

// stand begins what stands for a string that was taken out; its number follows.
const stand = `"\u0000`

// takeOut returns a document without its long strings, and these. Names of fields, and what is
// not written as it is meant, stay.
func takeOut(body []byte) (small []byte, long [][]byte) {
	if len(body) < longString || bytes.Contains(body, []byte(stand[1:])) {
		return body, nil
	}
	kept := 0 // up to where small has it
	for at := 0; ; {
		n := bytes.IndexByte(body[at:], '"')
		if n < 0 {
			break
		}
		from := at + n + 1
		end, plain := endOf(body, from)
		if at = end + 1; end == len(body) {
			break
		}
		if end-from < longString || !plain || isName(body[at:]) || hasControl(body[from:end]) {
			continue
		}
		small = strconv.AppendInt(append(append(small, body[kept:from-1]...), stand...), int64(len(long)), 10)
		long, kept = append(long, body[from:end]), end
	}
	if long == nil {
		return body, nil
	}
	return append(small, body[kept:]...), long
}

// endOf finds the quote that ends a string, or the end of the document, and tells whether
// nothing in it is escaped.
func endOf(body []byte, from int) (end int, plain bool) {
	n := bytes.IndexByte(body[from:], '"')
	if n >= 0 && bytes.IndexByte(body[from:from+n], '\\') < 0 {
		return from + n, true
	}
	for end = from; end < len(body) && body[end] != '"'; end++ {
		if body[end] == '\\' {
			end++
		}
	}
	return min(end, len(body)), false
}

// hasControl tells whether there is what JSON wants to be escaped.
func hasControl(s []byte) bool {
	for _, c := range s {
		if c < ' ' {
			return true
		}
	}
	return false
}

func isName(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

// putBack puts long strings where others stand for them.
func putBack(v reflect.Value, long [][]byte) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			putBack(v.Elem(), long)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			putBack(v.Field(i), long)
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes(whole(v.Bytes(), long))
			return
		}
		for i := range v.Len() {
			putBack(v.Index(i), long)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			value := reflect.New(v.Type().Elem()).Elem()
			value.Set(v.MapIndex(key))
			putBack(value, long)
			v.SetMapIndex(key, value)
		}
	case reflect.String:
		if s := v.String(); len(s) > 1 && s[0] == 0 {
			n, _ := strconv.Atoi(s[1:])
			v.SetString(string(long[n]))
		}
	}
}

// whole is a part of a document as it was.
func whole(raw json.RawMessage, long [][]byte) json.RawMessage {
	parts := bytes.Split(raw, []byte(stand))
	all := append(json.RawMessage(nil), parts[0]...)
	for _, p := range parts[1:] {
		number, rest, _ := bytes.Cut(p, []byte{'"'})
		n, _ := strconv.Atoi(string(number))
		all = append(append(append(append(all, '"'), long[n]...), '"'), rest...)
	}
	return all
}
