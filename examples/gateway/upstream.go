// An upstream in Go: says who calls, as the gateway tells it.
//
//	PORT=9000 go run upstream.go
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	prefix := setting("PREFIX", "Guarita-")
	http.HandleFunc("/", func(response http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			http.Error(response, "the body broke off", http.StatusBadRequest)
			return
		}
		told := func(name string) any {
			if value := request.Header.Get(name); value != "" {
				return value
			}
			return nil
		}
		// The gateway alone sets these headers: they need no check here.
		seen := map[string]any{
			"account":       told(prefix + "Account"),
			"key":           told(prefix + "Key"),
			"permissions":   told(prefix + "Permissions"),
			"address":       told(prefix + "Address"),
			"ray":           told(prefix + "Ray"),
			"subject":       told(prefix + "Certificate-Subject"),
			"authorization": told("Authorization"), // never arrives
			"method":        request.Method,
			"path":          request.URL.EscapedPath(),
			"body":          string(body),
		}
		fmt.Println(seen["method"], seen["path"], "by", seen["account"], "with", seen["key"])
		response.Header().Set("Content-Type", "application/json")
		if request.Method == http.MethodPost {
			response.WriteHeader(http.StatusCreated)
		}
		json.NewEncoder(response).Encode(seen)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+setting("PORT", "9000"), nil))
}
