# Compartilhamentos, tokens e auditoria: páginas, verbos e o que eles dizem.

# A página de um link
share-page-get = Baixar
share-page-until = Disponível até { $time }
share-page-empty = A pasta está vazia.
share-page-more = Mais
share-page-drop = Enviar arquivos
share-page-drop-what = O que você enviar chega a quem criou este link. Nada do que já está na pasta aparece aqui, e nada é substituído.
share-page-choose = Arquivos:
share-page-send = Enviar
share-page-received = { $count ->
    [one] 1 arquivo recebido ({ $size }):
   *[other] { $count } arquivos recebidos ({ $size }):
}
