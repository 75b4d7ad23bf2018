# Shares, tokens and the audit log: pages, verbs and what they say.

# The page of a link
share-page-get = Download
share-page-until = Available until { $time }
share-page-empty = The folder is empty.
share-page-more = More
share-page-drop = Send files
share-page-drop-what = What you send reaches whoever made this link. Nothing that is already in the folder shows here, and nothing is replaced.
share-page-choose = Files:
share-page-send = Send
share-page-received = { $count ->
    [one] 1 file received ({ $size }):
   *[other] { $count } files received ({ $size }):
}
