<?php
// An upstream in PHP: says who calls, as the gateway tells it.
//
//     php -S 127.0.0.1:9000 upstream.php

$prefix = str_replace('-', '_', strtoupper(getenv('PREFIX') ?: 'Guarita-'));

// PHP reads header names with underscores for hyphens. The gateway drops what callers send in
// either spelling, so it alone sets these: they need no check here.
$told = fn(string $name) => $_SERVER['HTTP_' . $prefix . $name] ?? null;

$seen = [
    'account' => $told('ACCOUNT'),
    'key' => $told('KEY'),
    'permissions' => $told('PERMISSIONS'),
    'address' => $told('ADDRESS'),
    'ray' => $told('RAY'),
    'subject' => $told('CERTIFICATE_SUBJECT'),
    'authorization' => $_SERVER['HTTP_AUTHORIZATION'] ?? null, // never arrives
    'method' => $_SERVER['REQUEST_METHOD'],
    'path' => strtok($_SERVER['REQUEST_URI'], '?'),
    'body' => file_get_contents('php://input'),
];
error_log("{$seen['method']} {$seen['path']} by {$seen['account']} with {$seen['key']}");

$answer = json_encode($seen, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
http_response_code($seen['method'] === 'POST' ? 201 : 200);
header('Content-Type: application/json');
header('Content-Length: ' . strlen($answer));
echo $answer;
